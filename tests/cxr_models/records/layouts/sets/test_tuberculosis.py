from tests.cxr_models.records.trees import tuberculosis as trees
from tests.cxr_models.records.trees.files import image
from tests.cxr_models.records.trees.reading import columns_of, present, read, reasons


def test_montgomery_is_labelled_by_names_and_described_by_readings(tmp_path):
    trees.montgomery(tmp_path)
    name, index = read(tmp_path)
    assert name == "montgomery"
    assert columns_of(index, "file", "label", "patient", "view", "sex", "age") == [
        ("MontgomerySet/CXR_png/MCUCXR_0001_0.png", "normal", "MCUCXR_0001", "PA", "F", "027Y"),
        ("MontgomerySet/CXR_png/MCUCXR_0024_0.png", "normal", "MCUCXR_0024", "PA", "M", "041Y"),
        ("MontgomerySet/CXR_png/MCUCXR_0108_1.png", "tb", "MCUCXR_0108", "PA", "M", "058Y"),
        ("MontgomerySet/CXR_png/MCUCXR_0393_1.png", "tb", "MCUCXR_0393", "PA", "F", "004M"),
    ]
    assert [record.finding("Tuberculosis") for record in index.records] == list("0011")
    assert not index.skipped


def test_shenzhen_passes_masks_over_and_reads_ages_as_people_write_them(tmp_path):
    trees.shenzhen(tmp_path)
    name, index = read(tmp_path)
    assert name == "shenzhen"
    assert columns_of(index, "label", "patient", "sex", "age") == [
        ("normal", "CHNCXR_0001", "M", "045Y"),
        ("normal", "CHNCXR_0060", "F", "030Y"),
        ("tb", "CHNCXR_0327", "M", "037Y"),
        ("tb", "CHNCXR_0660", "F", "008M"),
    ]
    assert not index.skipped


def test_tbx11k_takes_classes_from_folders_and_kinds_from_boxes(tmp_path):
    trees.tbx11k(tmp_path)
    name, index = read(tmp_path, official_split=True)
    assert name == "tbx11k"
    assert columns_of(index, "file", "label", "split") == [
        ("TBX11K/imgs/health/h0001.png", "normal", "train"),
        ("TBX11K/imgs/sick/s0001.png", "sick", "train"),
        ("TBX11K/imgs/tb/tb0003.png", "tb", "train"),
        ("TBX11K/imgs/tb/tb0005.png", "tb", "val"),
        ("TBX11K/imgs/tb/tb1199.png", "tb", "val"),
    ]
    assert [present(record)[0] for record in index.records[2:]] == [
        ["Tuberculosis", "ActiveTuberculosis"],
        ["Tuberculosis", "ActiveTuberculosis", "ObsoletePulmonaryTuberculosis"],
        ["Tuberculosis", "PulmonaryTuberculosis"],
    ]
    assert reasons(index) == {"the set gives it no label": 2}


def test_tbx11k_is_no_other_set_though_it_holds_images_of_two_others(tmp_path):
    trees.tbx11k(tmp_path)
    for name in ("MCUCXR_0001_0", "CHNCXR_0327_1"):
        image(tmp_path / f"TBX11K/imgs/extra/{name}.png", 93)
    name, index = read(tmp_path)
    assert name == "tbx11k"
    assert len(index.records) == 5
