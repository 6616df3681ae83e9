"""What is put beside a verifier's figures: published record, baselines, clean variants, and the page that shows it."""
