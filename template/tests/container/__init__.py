# An update overwrites this file.
