"""What a trained run predicts: of files, of sets, of blanked images; and its exports."""
