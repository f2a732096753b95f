import pytest

from tests.cxr_models.records.trees.files import text
from tests.helpers.fresh_process import run_code

LABELS = ("Atelectasis", "Edema", "No Finding", "Pneumonia")


def write_mimic(folder, count):
    """Write tables of `count` images, two a study and two studies a patient, and empty files."""
    rows, labels = [], []
    for number in range(count):
        patient, study = 10_000_000 + number // 4, 50_000_000 + number // 2
        name = f"{number:08x}-{number * 7919 % 2**32:08x}-{number * 104729 % 2**32:08x}"
        place = folder / f"files/p{str(patient)[:2]}/p{patient}/s{study}"
        if number % 2 == 0:
            place.mkdir(parents=True)
            cells = ",".join(("1.0", "", "0.0", "-1.0")[(number * k) % 4] for k in (1, 3, 5, 7))
            labels.append(f"{patient},{study},{cells}")
        (place / f"{name}.jpg").touch()
        view = ("AP", "PA", "LATERAL", "")[number * 13 % 4]
        rows.append(f"{name},{patient},{study},CHEST,{view},3056,2544,21800506,1.0,CHEST,,Erect")
    text(
        folder / "mimic-cxr-2.0.0-metadata.csv.gz",
        "dicom_id,subject_id,study_id,PerformedProcedureStepDescription,ViewPosition,Rows,Columns,"
        "StudyDate,StudyTime,ProcedureCodeSequence_CodeMeaning,ViewCodeSequence_CodeMeaning,"
        "PatientOrientationCodeSequence_CodeMeaning",
        *rows,
    )
    text(
        folder / "mimic-cxr-2.0.0-chexpert.csv.gz",
        "subject_id,study_id," + ",".join(LABELS),
        *labels,
    )
    parts = [",".join((*row.split(",")[:3:2], row.split(",")[1], "train")) for row in rows]
    text(folder / "mimic-cxr-2.0.0-split.csv.gz", "dicom_id,study_id,subject_id,split", *parts)


@pytest.mark.slow
def test_a_tenth_of_mimic_cxr_becomes_a_manifest_in_a_tenth_of_fifteen_seconds(tmp_path):
    pytest.importorskip("typer", reason="typer is not installed")
    write_mimic(tmp_path / "set", 37_711)
    done = run_code(
        """
        import resource, time
        from cxr_models.cli import main
        import cxr_models.cli._index

        def used():
            return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, time.process_time()

        before = used()
        assert main(["index", sys.argv[1], "--out", sys.argv[2], "--no-decode"]) == 0
        print(*(after - first for after, first in zip(used(), before)), file=sys.stderr)
        """,
        tmp_path / "set",
        tmp_path / "m.csv",
    )
    assert "377,110 images expected, 37,711 found" in done.stdout
    mebibytes, seconds = map(float, done.stderr.splitlines()[-1].split())
    assert mebibytes < 60
    assert seconds < 3.0  # twice what is promised, for slow machines
