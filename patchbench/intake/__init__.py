# SPDX-License-Identifier: GPL-2.0-only
"""Take a series as people have it: mails, folders, branches, message-ids.

Doors: reading, keeping, postings

    subjects  a mail's subject, taken apart
    mails     bytes to mails
    sources   files to mails
    postings  mails to the one series that they post
    reading   SOURCE, whatever it is, to a posting
    bases     which known kernel the author worked on
    keeping   a posting as a folder of patches, with where it came from
"""
