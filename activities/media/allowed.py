"""What ffmpeg and ffprobe may open: local files, in formats that open no other file.

A source can be a playlist or a script in disguise; without this it would lead the tools to other files or hosts.
"""

PROTOCOLS = "file"
FORMATS = (
    "3g2,3gp,aac,ac3,aiff,asf,avi,dv,eac3,flac,flv,gxf,h264,hevc,ivf,m4a,m4v,matroska,mj2,mov,mp3,mp4,mpeg,"
    "mpegts,mpegvideo,mxf,nut,ogg,rm,srt,wav,webm,webvtt,wtv,yuv4mpegpipe,w64"
)
INPUT_OPTIONS = {"protocol_whitelist": PROTOCOLS, "format_whitelist": FORMATS}
