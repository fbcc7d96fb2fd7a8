"""The rendezvous without I/O: who holds which Remote ID, who talks to whom, and what each may do."""
