"""Test whether models that see no lungs can predict the labels. Imports no framework."""
