//go:build cgo && native

package media

import "runtime"

// Versions names the decoders this program is linked with and their versions, as
// they stand in Analysis.Decoder. GIF and BMP are read by Go code.
func Versions() map[string]string {
	return map[string]string{
		"libjpeg-turbo": jpegVersion(),
		"libpng":        pngVersion(),
		"libtiff":       tiffVersion(),
		"libheif":       heifVersion(),
		"libwebp":       webpVersion(),
		"compress/lzw":  runtime.Version(),
	}
}
