from basam.web.serving import serve as serve
from basam.web.settings import WebSettings as WebSettings
from basam.web.settings import bytes_of as bytes_of
from basam.web.takeaway import WRITERS as WRITERS
