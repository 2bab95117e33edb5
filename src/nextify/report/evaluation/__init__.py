"""What one network answers on labelled images: a page, figures and tables."""
