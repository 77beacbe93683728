# Makes the pictures in this folder: a synthetic gradient, nothing else.
# Made with Python 3.11, Pillow 11.3.0, numpy 2.4 and pillow-heif 1.8.1; the two
# ImageMagick 6.9 and ffmpeg 5.1 calls are at the end. Encoders differ from version to
# version, so the files are kept and this is only how they came to be.
import os, subprocess
import numpy as np
from PIL import Image
import pillow_heif
pillow_heif.register_heif_opener()

def gradient(w, h, blue=None):
    y, x = np.mgrid[0:h, 0:w]
    b = (x + y) * 255 // (w + h) if blue is None else np.full((h, w), blue)
    return Image.fromarray(np.stack([x * 255 // w, y * 255 // h, b], -1).astype(np.uint8))

W, H = 48, 32
im = gradient(W, H)
y, x = np.mgrid[0:H, 0:W]
rgba = im.copy(); rgba.putalpha(Image.fromarray(((x * 5 + y * 3) % 256).astype(np.uint8)))

im.save('gradient.heic', quality=90)
gradient(47, 31).save('crop.heic', quality=90)
rgba.save('alpha.heic', quality=90)
t = (np.asarray(im).astype(np.uint16) * 257)
pillow_heif.from_bytes('RGB;16', (W, H), t.tobytes()).save('10bit.heic', quality=90)
for o in range(1, 9):
    e = Image.Exif(); e[0x112] = o
    im.save(f'orientation-{o}.avif', exif=e, quality=90, subsampling='4:4:4')

im.save('lossy.webp', quality=90)
rgba.save('alpha.webp', lossless=True, exact=True)
frames = [gradient(W, H, 20 * i) for i in range(12)]
frames[0].save('animated.webp', save_all=True, append_images=frames[1:], duration=50, lossless=True)

big = gradient(160, 120)
big.save('baseline.jpg', quality=92, subsampling=2)
big.save('progressive.jpg', quality=92, subsampling=2, progressive=True)
big.save('restarts.jpg', quality=92, subsampling=0, restart_marker_rows=1)
big.convert('L').save('gray.jpg', quality=92)
big.convert('CMYK').save('cmyk.jpg', quality=92)

rgba.save('alpha.tif', compression='tiff_lzw')
im.convert('CMYK').save('cmyk.tif', compression='tiff_adobe_deflate')
im.convert('1').save('fax.tif', compression='group4')
im.save('jpeg.tif', compression='jpeg', quality=92)
im.save('pages.tif', compression='tiff_lzw', save_all=True, append_images=[gradient(W, H, 20 * i) for i in range(1, 12)])
im.save('upside-down.tif', compression='tiff_lzw', tiffinfo={274: 3})
im.save('animated.png', save_all=True, append_images=frames[1:3], duration=50)
im.quantize(16).save('source.bmp'); rgba.save('source.png')

e = Image.Exif()
e[0x10f], e[0x110], e[0x131], e[0x112] = 'ACME', 'Phone 1', 'Firmware 2', 6
e.get_ifd(0x8769).update({0x9003: '2019:05:04 10:11:12', 0x9011: '+02:00', 0xa431: 'SN 42'})
e.get_ifd(0x8825).update({1: 'S', 2: (33.0, 30.0, 36.0), 3: 'W', 4: (70.0, 15.0, 0.0)})
for kind in ('jpg', 'png', 'webp', 'tif', 'heic'):
    im.save('exif.' + kind, exif=e, **({'compression': 'tiff_lzw'} if kind == 'tif' else {}))

subprocess.run('convert source.bmp -compress RLE BMP3:rle.bmp; convert source.png -interlace PNG interlaced.png; '
               'ffmpeg -v error -y -i source.png -pix_fmt rgb565le rgb565.bmp; convert source.png -alpha off -define tiff:tile-geometry=16x16 -compress LZW tiled.tif', shell=True, check=True)
os.remove('source.bmp'); os.remove('source.png')
