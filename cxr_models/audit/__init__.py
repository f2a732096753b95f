"""What models reach that see no lungs. Imports no framework."""
