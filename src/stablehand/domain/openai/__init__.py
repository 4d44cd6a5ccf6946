"""The dialect of OpenAI's Images API as plain decisions: what a body orders, and how a job is answered."""
