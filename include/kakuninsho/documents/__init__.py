"""Documents of the mailing as PDF: proofs of real pieces for the approvers."""
