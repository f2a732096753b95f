"""COVIDx and ieee8023's covid-chestxray-dataset."""

from tests.cxr_models.records.trees.files import image, text

COVIDX_ROWS = {
    "train": (
        ("419639-003251", "MIDRC-RICORD-1C-419639-003251-46647-0.png", "positive", "ricord"),
        ("ANON24", "ANON24_1.png", "positive", "actmed"),
        ("3d1d2a1c-8a0c-4b9d-9b57-06a0e1d2a3f4", "3d1d2a1c.png", "negative", "rsna"),
        ("8", "SARS 10.1148 rg.jpg", "positive", "cohen"),  # blanks in the name
    ),
    "test": (
        ("COVID-00024", "COVID-00024.jpg", "positive", "fig1"),
        ("41", "41_a.png", "negative", "rsna"),
    ),
}


def covidx(folder, version="9B"):
    """Lines without a header, parted by blanks; before version 2 without a source."""
    seed = 0
    for part, rows in COVIDX_ROWS.items():
        lines = []
        for patient, name, group, source in rows:
            image(folder / part / name, seed)
            seed += 1
            if version.endswith("A"):
                group = "COVID-19" if group == "positive" else ("normal", "pneumonia")[seed % 2]
            lines.append(f"{patient} {name} {group}" + (f" {source}" if version != "1" else ""))
        text(folder / f"{part}_COVIDx{version}.txt", *lines)


def ieee8023(folder):
    """Findings as paths, modalities mixed, an image that lies among volumes, Latin-1 within."""
    header = (
        "patientid,offset,sex,age,finding,RT_PCR_positive,survival,intubated,view,modality,date,"
        "location,folder,filename,doi,url,license,clinical_notes,other_notes,"
    )
    rows = (
        ("2", "M", "65", "Pneumonia/Viral/COVID-19", "PA", "X-ray", "a.jpg"),
        ("2", "M", "65", "Pneumonia/Viral/COVID-19", "AP Supine", "X-ray", "b.png"),
        ("4", "F", "", "No Finding", "L", "X-ray", "c.jpg"),
        ("5", "F", "70", "todo", "PA", "X-ray", "d.jpg"),
        ("6", "", "20", "Pneumonia/Viral/COVID-19", "Axial", "CT", "e.jpg"),
        ("7", "M", "33", "Pneumonia", "AP", "X-ray", "f.jpg"),
    )
    lines = []
    for seed, (patient, sex, age, finding, view, modality, name) in enumerate(rows):
        image(folder / "images" / name, seed)
        lines.append(
            f'{patient},0,{sex},{age},{finding},Y,,N,{view},{modality},"January 22, 2020",'
            f"Malm\xf6,images,{name},,,CC BY-NC-SA,,,"
        )
    text(folder / "metadata.csv", header, *lines, encoding="latin-1")
    image(folder / "annotations/lungVAE-masks/a_mask.png", 95)
