"""`cxr-enhance run`: convert the options to a job and to the settings of a run."""

from __future__ import annotations

import typer

from cxr_enhance.cli import _choices  # typer reads annotations
from cxr_enhance.cli import _run_arguments as arguments  # typer reads annotations


def run(
    out: arguments.Out,
    inputs: arguments.Inputs = None,
    list_file: arguments.ListFile = None,
    column: arguments.Column = None,
    modality: arguments.Modality = None,
    views: arguments.Views = None,
    where: arguments.Where = None,
    preset: arguments.Preset = None,
    clip_limit: arguments.ClipLimit = None,
    tile_grid_size: arguments.TileGridSize = None,
    percentiles: arguments.Percentiles = None,
    no_white_balance: arguments.NoWhiteBalance = False,
    no_clahe: arguments.NoClahe = False,
    bit_shift: arguments.BitShift = None,
    num_bins: arguments.NumBins = None,
    bits: arguments.Bits = None,
    params: arguments.Params = None,
    voi: arguments.Voi = None,
    window: arguments.Window = None,
    frame: arguments.Frame = None,
    invert: arguments.Invert = _choices.InvertChoice.NOTE,
    max_pixels: arguments.MaxPixels = None,
    long_side: arguments.LongSide = None,
    size: arguments.Size = None,
    fit: arguments.Fit = None,
    spacing: arguments.Spacing = None,
    crop_border: arguments.CropBorder = False,
    resize_first: arguments.ResizeFirst = False,
    output_format: arguments.OutputFormat = None,
    records: arguments.Records = None,
    samples_per_file: arguments.SamplesPerFile = None,
    quality: arguments.Quality = None,
    compression: arguments.Compression = None,
    strip_identity: arguments.StripIdentity = False,
    pseudonym_key: arguments.PseudonymKey = None,
    flat_names: arguments.FlatNames = False,
    threads: arguments.Threads = None,
    engine: arguments.Engine = _choices.EngineChoice.LOCAL,
    scheduler: arguments.Scheduler = None,
    shard: arguments.Shard = None,
    manifest: arguments.Manifest = None,
    retry_failed: arguments.RetryFailed = False,
    overwrite: arguments.Overwrite = False,
    dry_run: arguments.DryRun = False,
    quiet: arguments.Quiet = False,
    as_json: arguments.AsJson = False,
) -> None:
    """Enhance files and folders.

    A folder's tree is kept; files in it that are no images are skipped. Inputs that would have the
    same output name keep their old extension in it: a.jpg and a.png become a_jpg.png and a_png.png.
    Inputs are never written over. A further run enhances files that are missing, have changed, or
    failed for a transient reason. Exit status 1 if any image failed.
    """
    from cxr_enhance.archive.selection import Selection
    from cxr_enhance.cli import _job_options, _run, _run_one, _run_options, console

    inputs = inputs or []
    preset_name, format_name = _choices.word_of(preset), _choices.word_of(output_format)
    one_image = _run_one.names_one_image(out)
    with console.errors_exit_with(console.WRONG_USAGE):
        _run_options.check_run(inputs, list_file, records, column, engine.value, scheduler, threads)
        if one_image:
            _run_one.check(inputs, list_file, out, overwrite=overwrite, folder_options={
                "--manifest": manifest,
                "--shard": shard,
                "--retry-failed": retry_failed,
                "--flat-names": flat_names,
                "--engine dask": engine != "local",
                "--modality": modality,
                "--views": views,
                "--where": where,
                "--records": records,
                "--samples-per-file": samples_per_file,
            })  # fmt: skip
            format_name = _run_one.format_of(out, format_name)
        job = _job_options.job_of(
            params=_job_options.params_of(
                preset=preset_name,
                params_file=params,
                clip_limit=clip_limit,
                tile_grid_size=tile_grid_size,
                percentiles=percentiles,
                no_white_balance=no_white_balance,
                no_clahe=no_clahe,
                bit_shift=bit_shift,
                num_bins=num_bins,
                bits=bits,
            ),
            read=_job_options.read_options_of(
                preset_name,
                voi=_choices.word_of(voi),
                window=window,
                frame=frame,
                max_pixels=max_pixels,
            ),
            preset=preset_name,
            output_format=format_name,
            quality=quality,
            compression=_choices.word_of(compression),
            long_side=long_side,
            size_wh=size,
            fit=_choices.word_of(fit),
            spacing=spacing,
            crop_border=crop_border,
            resize_first=resize_first,
            strip_identity=strip_identity,
            pseudonym_key_file=pseudonym_key,
            invert=invert.value,
            selection=Selection.from_options(modality, views, where or []),
        )
        if not one_image:
            settings = _run_options.settings_of(
                inputs=inputs,
                list_file=list_file,
                column=column,
                out=out,
                job=job,
                threads=threads,
                engine=engine.value,
                scheduler=scheduler,
                overwrite=overwrite,
                retry_failed=retry_failed,
                manifest=manifest,
                shard=shard,
                flat_names=flat_names,
                samples=_run_options.samples_of(
                    inputs,
                    output_format=format_name,
                    records_file=records,
                    column=column,
                    samples_per_file=samples_per_file,
                ),
            )
    report = {"dry_run": dry_run, "quiet": quiet, "as_json": as_json}
    if one_image:
        status = _run_one.run_one(inputs[0], out, job, overwrite=overwrite, **report)
    else:
        status = _run.run(settings, **report)
    raise typer.Exit(status)
