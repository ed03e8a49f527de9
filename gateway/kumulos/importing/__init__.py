"""What a customer brings along from Kumulos: files in the vendor's words → rows in ours."""
