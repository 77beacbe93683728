package semblance

import (
	"path"
	"strings"
)

// The urgencies, in the order of work.
const (
	UrgentCamera   = iota // pictures a phone or a messenger made or received
	UrgentPicture         // other pictures
	UrgentDocument        // anything else that is quick to read
	UrgentVideo           // videos of a phone or a messenger, then others
	UrgentVideos
	UrgentArchive // archives and images, which can hold all of the above in any amount
	Urgencies     // how many there are
)

// Urgency says when an item's turn comes, from its path alone: what a phone or a messenger
// made first, pictures before videos, what is quick before what takes hours. It decides
// the order of work and nothing else: the name can lie, and every item's turn comes.
func Urgency(p string) int {
	ext := strings.ToLower(path.Ext(p))
	switch {
	case pictureExt[ext] && made(p):
		return UrgentCamera
	case pictureExt[ext]:
		return UrgentPicture
	case videoExt[ext] && made(p):
		return UrgentVideo
	case videoExt[ext]:
		return UrgentVideos
	case archiveExt[ext]:
		return UrgentArchive
	}
	return UrgentDocument
}

func set(words string) map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(words) {
		m[w] = true
	}
	return m
}

var (
	pictureExt = set(".jpg .jpeg .jpe .jfif .png .gif .webp .heic .heif .avif .bmp .tif .tiff .dng .jxl")
	videoExt   = set(".mp4 .m4v .mov .3gp .3g2 .avi .mkv .webm .wmv .asf .flv .mpg .mpeg .mts .m2ts .ts .vob .ogv .rm .rmvb .mxf")
	archiveExt = set(".zip .rar .7z .tar .gz .tgz .bz2 .tbz2 .xz .txz .zst .ufdr .ufd .clbx .ab .e01 .ex01 .l01 .s01 .001 .dd .raw .img .image .iso .dmg .vmdk .vhd .vhdx .qcow2 .vdi .aff .bin .cpio .rpm .deb .apk .jar .ipa .wim")
)

// made reports whether a path is one where a phone's camera or a messenger keeps what it
// made or received.
func made(p string) bool {
	p = strings.ToLower(p)
	for _, place := range []string{"dcim/", "camera", "whatsapp", "telegram", "signal", "snapchat", "messenger", "viber", "wechat", "tencent/micromsg", "kik", "threema", "instagram", "discord", "skype", "line/", "wickr", "sms/attachments", "mmssms", "camera roll", "photodata"} {
		if strings.Contains(p, place) {
			return true
		}
	}
	return false
}
