"""Where the activities of a job leave their files for each other: a shared folder, or a bucket.

Activities see one folder and paths relative to it, whichever it is (`work.at_work`).
"""
