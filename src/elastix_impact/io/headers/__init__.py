"""What image files promise in their headers, and whether they keep it: found before ITK opens a file.

ITK fills up with zeros what lacks of many formats, believes any header, and ends the process at some. One file per
format, `check` chooses.
"""
