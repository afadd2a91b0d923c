from tempfile import SpooledTemporaryFile

from starlette.formparsers import MultiPartParser

with SpooledTemporaryFile(MultiPartParser.spool_max_size) as file:
    print(file.write(bytes(int(sys.argv[1]))))
