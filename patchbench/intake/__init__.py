# SPDX-License-Identifier: GPL-2.0-only
"""Take a series as people have it: mails, folders, branches, message-ids.

Doors: taking, threads

    taking    what a --series means: a name here, or a source that is taken into the cache
    reading   SOURCE, whatever it is, to a posting
    sources   files to mails
    mails     bytes to mails
    subjects  a mail's subject, taken apart
    postings  mails to the one series that they post
    bases     which known kernel the author worked on
    threads   which mail of a thread an answer goes to
    keeping   a posting as a folder of patches, with where it came from
"""
