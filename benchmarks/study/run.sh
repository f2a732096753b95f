#!/usr/bin/env bash
# Remakes the figures of docs/study.md from a folder of radiographs, as its user would: with the
# commands of cxr-models. Stop it whenever you like; started again, it goes on where it was.
#
#   CXR_STUDY_DATA=DATA benchmarks/study/run.sh [STAGE...]
#
# DATA holds cxr3/manifest.csv (three classes, split) and external/manifest.csv (other sources).
# Stages, all but `grid` and `report` by default:
#   prepare     manifest of other sources; splits of adults by source
#   arms        NASNetMobile, three classes, raw, enhanced in two ways, and raw with the border
#               cropped and padded instead of squashed, CXR_STUDY_SEEDS seeds
#   sources     adults, covid or not: all sources known, then one unknown
#   table       all twelve cells of the study's table, small: 96 x 96 pixels, eight epochs from
#               scratch, one seed; about two hours on two cores
#   throughput  fed by the pipeline and from memory; epochs with and without kept features, of
#               the weights of arms/enhanced-1
#   collect     results to benchmarks/results/study, tables to docs/study.md and README.md
#   grid        all twelve cells of the study's table at 224 x 224 from ImageNet weights, resized
#               before enhancement as in the study, both phases: for a GPU (on one without
#               TensorFlow's support, set KERAS_BACKEND=jax)
#   report      one page of all runs, with overlays
# Settings: CXR_STUDY_RUNS (folder of the runs, default study-runs), CXR_STUDY_SEEDS ("1 2 3"),
# CXR_STUDY_ARMS ("raw enhanced bold pad"), CXR_STUDY_EPOCHS (10), CXR_STUDY_CELLS (lines of
# "BACKBONE TASK ARM": those of table and grid to run).
set -euo pipefail
here=$(cd "$(dirname "$0")/../.." && pwd)
data=$(cd "${CXR_STUDY_DATA:?must name the folder that holds cxr3 and external}" && pwd)
mkdir -p "${CXR_STUDY_RUNS:=study-runs}"
work=$(cd "$CXR_STUDY_RUNS" && pwd)
seeds=${CXR_STUDY_SEEDS:-1 2 3}
arms=${CXR_STUDY_ARMS:-raw enhanced bold pad}
epochs=${CXR_STUDY_EPOCHS:-10}
export TF_CPP_MIN_LOG_LEVEL=2
cd "$here"

raw=(--no-enhance)
enhanced=(--set data.order=enhance-first)
bold=(--set data.order=enhance-first --set data.enhance.clip_limit=6
      --set 'data.enhance.tile_grid_size=[8,8]')
pad=(--no-enhance --set data.fit=pad --set data.crop_border=true)
small=(--weights none --image-size 128 128 --batch-size 32 --set training.class_weights=true)

settings_of() { # ARM, into the array `arm`
  case $1 in
    raw) arm=("${raw[@]}") ;;
    enhanced) arm=("${enhanced[@]}") ;;
    bold) arm=("${bold[@]}") ;;
    pad) arm=("${pad[@]}") ;;
    *) echo "An arm must be raw, enhanced, bold or pad; got '$1'." >&2; exit 2 ;;
  esac
}

run() { # NAME SPLIT EXTERNAL... -- OPTIONS...: train, evaluate, audit; what is there is kept
  local name=$1 split=$2 external=()
  shift 2
  while [ "$1" != -- ]; do external+=(--external "$1"); shift; done
  shift
  local folder="$work/$name"
  if [ ! -e "$folder/trained" ]; then
    printf '\n== %s\n' "$name"
    cxr-models train "$split" --out "$folder" --cache-dir "$work/cache" "$@" </dev/null
    touch "$folder/trained"
  fi
  [ -e "$folder/evaluation/evaluation.json" ] ||
    cxr-models evaluate "$folder" "${external[@]}" </dev/null
  [ -e "$folder/evaluation/audit.json" ] ||
    cxr-models audit "$split" --run "$folder" </dev/null
}

stage_prepare() {
  [ -e "$work/external.csv" ] || python -m benchmarks.study.prepare "$data" "$work"
  [ -e "$work/known.csv" ] ||
    cxr-models split "$work/adults.csv" --out "$work/known.csv" --seed 1
  [ -e "$work/unknown/made" ] || {
    cxr-models split "$work/adults.csv" --out "$work/unknown" --seed 1 --leave-source-out --test-others \
      --overwrite
    touch "$work/unknown/made"
  }
}

stage_arms() {
  local seed name
  for seed in $seeds; do
    for name in $arms; do
      settings_of "$name"
      run "arms/$name-$seed" "$data/cxr3/manifest.csv" "$work/external.csv" -- \
        "${small[@]}" --epochs-head "$epochs" --seed "$seed" "${arm[@]}"
    done
  done
}

stage_sources() { # without nih nothing but covid would be left to train on
  # A third of the images, so twice the epochs.
  local binary=("${small[@]}" --task binary --epochs-head $((2 * epochs)) --seed 1
                "${enhanced[@]}")
  run sources/known "$work/known.csv" -- "${binary[@]}"
  run sources/without-ieee8023 "$work/unknown/without-ieee8023.csv" -- "${binary[@]}"
  run sources/without-hannover "$work/unknown/without-hannover.csv" -- "${binary[@]}"
}

stage_throughput() {
  local split="$data/cxr3/manifest.csv" weights="$work/arms/enhanced-1/best.weights.h5" views
  local frozen=(--image-size 128 128 --batch-size 32 --weights "$weights" --epochs-head 4
                --epochs-fine-tune 0 --seed 1 "${enhanced[@]}" --cache-dir "$work/cache")
  mkdir -p "$work/throughput"
  for backbone in nasnet_mobile resnet101 inception_resnet_v2; do
    [ -e "$work/throughput/$backbone.json" ] ||
      cxr-models bench-pipeline "$split" --backbone "$backbone" --image-size 128 128 \
        --batch-size 32 --batches 10 --order enhance-first --json >"$work/throughput/part" &&
      mv "$work/throughput/part" "$work/throughput/$backbone.json"
  done
  for views in 0 1; do
    [ -e "$work/throughput/features-$views/trained" ] || {
      cxr-models train "$split" --out "$work/throughput/features-$views" "${frozen[@]}" \
        --cache-features "$views"
      touch "$work/throughput/features-$views/trained"
    }
  done
}

cells() { # the twelve of the study's table, or those asked for: BACKBONE TASK ARM, a line each
  local backbone task name
  [ -z "${CXR_STUDY_CELLS:-}" ] || { echo "$CXR_STUDY_CELLS"; return; }
  for backbone in nasnet_mobile resnet101 inception_resnet_v2; do
    for task in multiclass binary; do
      for name in raw enhanced; do echo "$backbone $task $name"; done
    done
  done
}

stage_table() {
  local backbone task name
  while read -r backbone task name; do
    settings_of "$name"
    run "table/$backbone-$task-$name" "$data/cxr3/manifest.csv" "$work/external.csv" -- \
      --backbone "$backbone" --task "$task" --weights none --image-size 96 96 --batch-size 32 \
      --epochs-head 8 --seed 1 --set training.class_weights=true "${arm[@]}"
  done < <(cells)
}

stage_grid() {
  local backbone task name
  while read -r backbone task name; do
    arm=()
    [ "$name" = enhanced ] || settings_of "$name"
    run "grid/$backbone-$task-$name" "$data/cxr3/manifest.csv" "$work/external.csv" -- \
      --backbone "$backbone" --task "$task" --batch-size 64 --seed 1 "${arm[@]}"
  done < <(cells)
}

stage_collect() {
  python -m benchmarks.study.collect "$work"
  python -m benchmarks.tables
}

stage_report() {
  local runs=()
  mapfile -t runs < <(find "$work/arms" "$work/sources" "$work/table" "$work/grid" \
    -name evaluation.json -printf '%h\n' 2>/dev/null | sed 's|/evaluation$||' | sort)
  cxr-models report "${runs[@]}" --out "$work/report.html" --explain --overwrite
}

[ $# -gt 0 ] || set -- prepare arms sources table throughput collect
for stage in "$@"; do
  declare -F "stage_$stage" >/dev/null || {
    echo "STAGE must be one of those listed at the head of $0; got '$stage'." >&2
    exit 2
  }
done
for stage in "$@"; do "stage_$stage"; done
