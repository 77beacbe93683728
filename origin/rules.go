package origin

import "regexp"

// A nameRule is about the last part of a path. Its groups are the digits of a time.
type nameRule struct {
	rule string
	nameForm
	application string
	kind        Kind
	time        func(groups []string) (at, zone string, ok bool)
}

// The endings that rules of names allow: those of pictures, videos, sound and what is put
// behind them when a name is taken or a file was edited.
const (
	ending = `(?:[ _-]?(?:\(\d{1,4}\)|~\d{1,3}|copy|edited|EDIT|COLLAGE|BURST\d*|COVER|TOP|HDR|PORTRAIT|MP|NIGHT|PANO|LS|exported|\d{1,4}))*(?:\.[A-Za-z0-9]{2,5}){1,2}$`
	date   = `((?:19|20)\d\d)[-_.]?(\d\d)[-_.]?(\d\d)`
	clock  = `(\d\d)[-_.:h]?(\d\d)[-_.:m]?(\d\d)`
)

// A nameForm is a pattern of whole names, and what all of them begin with: most names are
// ruled out by that.
type nameForm struct {
	prefix  string
	pattern *regexp.Regexp
}

func name(pattern string) nameForm {
	prefix, _ := regexp.MustCompile(pattern).LiteralPrefix()
	return nameForm{prefix, regexp.MustCompile(`^(?:` + pattern + `)`)}
}

// nameRules are looked at in this order: those of one application before those that many
// share. Where a name is used by several the application is left out.
var nameRules = []nameRule{
	{"whatsapp-name/1", name(`(?:IMG|VID|AUD|PTT|STK|DOC|GIF)-((?:19|20)\d{6})-WA\d{4,}` + ending), "WhatsApp", Exchanged, written},
	{"whatsapp-long-name/1", name(`WhatsApp (?:Image|Video|Audio|Ptt|Animated Gif|Sticker) ` + date + ` (?:at|um|a las|à|alle|om|kl\.) (?:(?:\d\d?[.:]\d\d[.:]\d\d)(?: ?[AP]M)?)` + ending), "WhatsApp", Saved, written},
	{"whatsapp-ios-name/1", name(`(?:PHOTO|VIDEO|AUDIO|GIF|STICKER)-` + date + `-` + clock + ending), "WhatsApp", Saved, written},
	{"whatsapp-ios-export/1", name(`\d{8}-(?:PHOTO|VIDEO|AUDIO|GIF|STICKER|DOCUMENT)-` + date + `-` + clock + ending), "WhatsApp", Exchanged, written},
	{"telegram-desktop-name/1", name(`(?:photo|video|audio|animation|file|sticker|round_video_message|video_message|voice_message)_\d+@(\d\d)-(\d\d)-(\d{4})_(\d\d)-(\d\d)-(\d\d)(?:_thumb)?` + ending), "Telegram", Exchanged, dayFirst},
	{"telegram-desktop-saved/1", name(`photo_` + date + `_` + clock + ending), "Telegram", Saved, written},
	{"telegram-cache-name/1", name(`-?\d{9,20}_-?\d{5,}(?:_[a-z])?\.(?:jpg|mp4|webp|webm|tgs|ogg)$`), "Telegram", Cache, nil},
	{"signal-name/1", name(`signal-` + date + `-(\d\d)-?(\d\d)-?(\d\d)(?:-(\d{3}))?` + ending), "Signal", Saved, written},
	{"signal-attachment/1", name(`signal-attachment-` + date + `-` + clock + ending), "Signal", Saved, written},
	{"snapchat-name/1", name(`Snapchat-\d+` + ending), "Snapchat", Saved, nil},
	{"viber-name/1", name(`(?:viber[ _]image|viber_image|IMG|image)-0-02-0[0-9]-?[0-9a-f]{10,}[^.]*_[A-Za-z0-9]+` + ending), "Viber", Exchanged, nil},
	{"viber-long-name/1", name(`(?i:viber)[ _](?:image|изображение|video)[ _]` + date + `[ _]` + clock + `(?:-\d+)?` + ending), "Viber", Saved, written},
	{"facebook-received/1", name(`received_\d{10,}` + ending), "Facebook Messenger", Received, nil},
	{"facebook-name/1", name(`FB_IMG_(\d{13})` + ending), "Facebook", Saved, milliseconds},
	{"facebook-web-name/1", name(`\d{6,12}_\d{10,20}_\d{10,20}_[nobqst]` + ending), "Facebook", Download, nil},
	{"messenger-name/1", name(`messenger_creation_[0-9a-fA-F-]+` + ending), "Facebook Messenger", Saved, nil},
	{"instagram-story/1", name(`(?i:instagram)[-_ ].*` + ending), "Instagram", Saved, nil},
	{"wechat-name/1", name(`mmexport(\d{13})` + ending), "WeChat", Saved, milliseconds},
	{"wechat-camera/1", name(`wx_camera_(\d{13})` + ending), "WeChat", Camera, milliseconds},
	{"wechat-microsignal/1", name(`microMsg\.?(\d{13})` + ending), "WeChat", Cache, milliseconds},
	{"qq-name/1", name(`(?:QQ图片|QQ圖片|QQ截图|QQ截圖|QQ Image|QQ视频|QQ视频)` + date + `(\d\d)(\d\d)(\d\d)` + ending), "QQ", Saved, written},
	{"line-name/1", name(`LINE_(?:ALBUM|MOVIE|CAMERA|P)_.*` + ending), "LINE", Saved, nil},
	{"milliseconds-name/1", name(`(\d{13})\.(?:jpg|mp4)$`), "", "", milliseconds}, // LINE and several others
	{"line-chat/1", name(`line_(\d{13})` + ending), "LINE", Saved, milliseconds},
	{"kik-name/1", name(`(?i:kik)[-_ ]?(?:image|img|photo|video)?[-_ ]?\d*` + ending), "Kik", Saved, nil},
	{"threema-name/1", name(`threema-` + date + `-?(\d\d)(\d\d)(\d\d)(\d{3})?\d*(?:-[0-9a-f]+)?` + ending), "Threema", Saved, written},
	{"wire-name/1", name(`(?i:wire)[-_ ]` + date + `[-_ ]?(?:at)?[-_ ]?` + clock + ending), "Wire", Saved, written},
	{"discord-name/1", name(`(?:image|unknown|SPOILER_[^.]*)-?(?:\d{0,3})_(\d{17,20})` + ending), "Discord", Download, snowflake},
	{"skype-name/1", name(`(?i:skype)_(?:picture|video)_?` + date + `T?(\d\d)(\d\d)(\d\d)[^.]*` + ending), "Skype", Saved, written},
	{"tiktok-name/1", name(`(?:ssstik|snaptik|tiktok)[._-].*` + ending), "TikTok", Download, nil},
	{"reddit-name/1", name(`(?i:rdt)_` + date + `_` + clock + `\d*` + ending), "Reddit", Saved, written},

	{"android-screenshot/1", name(`Screenshot[_-]` + date + `[-_]` + clock + `(?:[-_](\d{3}))?(?:[-_][^/]*)?` + ending), "", Screenshot, written},
	{"android-screenrecord/1", name(`(?:Screen_?[Rr]ecord(?:ing|er)?|SVID|screen)[-_]` + date + `[-_]` + clock + `(?:[-_][^/]*)?` + ending), "", Screenshot, written},
	{"macos-screenshot/1", name(`(?:Screen ?[Ss]hot|Screen Recording|Bildschirmfoto|Schermafbeelding|Captura de pantalla|Capture d’écran) ` + date + `.*` + ending), "", Screenshot, written},
	{"ios-screenrecord/1", name(`RPReplay_Final(\d{10})` + ending), "", Screenshot, seconds},
	{"pixel-camera/1", name(`PXL_` + date + `_` + clock + `(\d{3})(?:[.~][A-Za-z0-9_.-]+)*\.[A-Za-z0-9]{2,4}$`), "", Camera, writtenUTC},
	{"google-camera/1", name(`(?:MVIMG|PANO|BURST|VR|PORTRAIT)_` + date + `_` + clock + `[^/]*` + ending), "", Camera, written},
	{"windows-phone/1", name(`WP_` + date + `_` + clock + `(?:_[A-Za-z]+)*` + ending), "", Camera, written},
	{"android-camera/1", name(`(?:IMG|VID|MOV)[_-]?` + date + `[_-]?` + clock + `(?:[_-]?(\d{3}))?` + ending), "", Camera, written},
	{"samsung-camera/1", name(date + `_` + clock + ending), "", Camera, written},
	{"ios-camera/1", name(`IMG_E?\d{4}(?: \d| \(\d+\))?\.(?i:HEIC|JPE?G|MOV|PNG|DNG|AAE|MP4|GIF)$`), "", Camera, nil},
	{"dcf-camera/1", name(`(?:DSC[_NFI]?|DSCF|DSCN|_DSC|_MG_|P\d|MVI_|IMGP|SAM_|GOPR|GH\d\d|GX\d\d|DJI_|CIMG|PICT|HPIM|P10\d)_?\d{4,7}` + ending), "", Camera, nil},

	{"android-thumbnail/1", name(`\.?thumbdata\d?.*$`), "Android", Thumbnail, nil},
	{"windows-thumbnail/1", name(`(?i:thumbs\.db|thumbcache_[0-9a-z_]+\.db|iconcache_[0-9a-z_]+\.db)$`), "Windows", Thumbnail, nil},
	{"numbered-second/1", name(`(\d{10})\.(?:jpg|jpeg|png|mp4)$`), "", "", seconds},
	{"dated/1", name(date + `[ T_-]` + clock + `[^/]*` + ending), "", "", written},
}

// A folderRule is about the folders of a path. part is in lower case and begins and ends
// with a slash, or is a part of a name where it does not. below tells kinds apart by what
// follows.
type folderRule struct {
	rule        string
	part        string
	application string
	kind        Kind
	below       []below
}

type below struct {
	part string
	kind Kind
}

// android are the folders that applications on Android have in common.
var android = []below{{"/cache/", Cache}, {"/thumb", Thumbnail}, {"/.thumb", Thumbnail}, {"/.trash", Deleted}, {"/download", Download}}

// whatsApp are those of WhatsApp.
var whatsApp = []below{{"/sent/", Sent}, {"/.statuses/", Received}, {"/.thumbs/", Thumbnail}, {"/message/media/", Exchanged}, {"/media/", Received}, {"/library/caches/", Cache}, {"/cache/", Cache}}

// folderRules are looked at in this order. Packages come before the folders that share a
// name with an application, and those before the folders of a system.
var folderRules = []folderRule{
	{"whatsapp-android/1", "/com.whatsapp/", "WhatsApp", "", whatsApp},
	{"whatsapp-business-android/1", "/com.whatsapp.w4b/", "WhatsApp Business", "", whatsApp},
	{"whatsapp-ios/1", "group.net.whatsapp.whatsapp.shared", "WhatsApp", "", whatsApp},
	{"whatsapp-ios/1", "net.whatsapp.whatsapp", "WhatsApp", "", whatsApp},
	{"telegram-android/1", "/org.telegram.messenger/", "Telegram", "", android},
	{"telegram-android/1", "/org.telegram.messenger.web/", "Telegram", "", android},
	{"telegram-x-android/1", "/org.thunderdog.challegram/", "Telegram X", "", android},
	{"telegram-ios/1", "group.ph.telegra.telegraph", "Telegram", "", []below{{"/postbox/media/", Cache}}},
	{"telegram-ios/1", "ph.telegra.telegraph", "Telegram", "", []below{{"/caches/", Cache}}},
	{"telegram-desktop/1", "/telegram desktop/", "Telegram", Download, []below{{"/tdata/", Cache}}},
	{"telegram-export/1", "/chatexport_", "Telegram", Exchanged, nil},
	{"signal-android/1", "/org.thoughtcrime.securesms/", "Signal", "", android},
	{"signal-ios/1", "org.whispersystems.signal", "Signal", "", nil},
	{"signal-desktop/1", "/signal/attachments.noindex/", "Signal", Exchanged, nil},
	{"snapchat-android/1", "/com.snapchat.android/", "Snapchat", "", android},
	{"snapchat-ios/1", "com.toyopagroup.picaboo", "Snapchat", "", []below{{"/caches/", Cache}}},
	{"viber-android/1", "/com.viber.voip/", "Viber", "", android},
	{"viber-ios/1", "com.viber", "Viber", "", nil},
	{"messenger-android/1", "/com.facebook.orca/", "Facebook Messenger", "", android},
	{"messenger-ios/1", "com.facebook.messenger", "Facebook Messenger", "", []below{{"/caches/", Cache}}},
	{"facebook-android/1", "/com.facebook.katana/", "Facebook", "", android},
	{"facebook-ios/1", "com.facebook.facebook", "Facebook", "", []below{{"/caches/", Cache}}},
	{"instagram-android/1", "/com.instagram.android/", "Instagram", "", android},
	{"instagram-ios/1", "com.burbn.instagram", "Instagram", "", []below{{"/caches/", Cache}}},
	{"wechat-android/1", "/com.tencent.mm/", "WeChat", "", append([]below{{"/image2/", Exchanged}, {"/video/", Exchanged}, {"/sns/", Received}}, android...)},
	{"wechat-android/1", "/tencent/micromsg/", "WeChat", "", []below{{"/image2/", Exchanged}, {"/video/", Exchanged}, {"/wechat/", Saved}}},
	{"wechat-ios/1", "com.tencent.xin", "WeChat", "", []below{{"/img/", Exchanged}, {"/video/", Exchanged}, {"/caches/", Cache}}},
	{"qq-android/1", "/com.tencent.mobileqq/", "QQ", "", android},
	{"line-android/1", "/jp.naver.line.android/", "LINE", "", android},
	{"line-ios/1", "jp.naver.line", "LINE", "", []below{{"/message attachments/", Exchanged}, {"/message thumbnails/", Thumbnail}, {"/caches/", Cache}}},
	{"discord-android/1", "/com.discord/", "Discord", "", android},
	{"discord-ios/1", "com.hammerandchisel.discord", "Discord", "", []below{{"/caches/", Cache}}},
	{"discord-desktop/1", "/discord/cache/", "Discord", Cache, nil},
	{"kik-android/1", "/kik.android/", "Kik", "", android},
	{"kik-ios/1", "com.kik.chat", "Kik", "", []below{{"/attachments/", Exchanged}, {"/content_manager/", Exchanged}}},
	{"threema-android/1", "/ch.threema.app/", "Threema", "", android},
	{"threema-ios/1", "ch.threema", "Threema", "", nil},
	{"wire-android/1", "/com.wire/", "Wire", "", android},
	{"wickr-android/1", "/com.mywickr.wickr2/", "Wickr", "", android},
	{"session-android/1", "/network.loki.messenger/", "Session", "", android},
	{"element-android/1", "/im.vector.app/", "Element", "", android},
	{"skype-android/1", "/com.skype.raider/", "Skype", "", android},
	{"tiktok-android/1", "/com.zhiliaoapp.musically/", "TikTok", "", android},
	{"tiktok-ios/1", "com.zhiliaoapp.musically", "TikTok", "", []below{{"/caches/", Cache}}},
	{"twitter-android/1", "/com.twitter.android/", "X (Twitter)", "", android},
	{"google-photos-android/1", "/com.google.android.apps.photos/", "Google Photos", "", android},
	{"google-messages-android/1", "/com.google.android.apps.messaging/", "Google Messages", "", android},
	{"chrome-android/1", "/com.android.chrome/", "Chrome", "", android},
	{"gallery-vault-android/1", "/com.thinkyeah.galleryvault/", "GalleryVault", "", android},
	{"keepsafe-android/1", "/com.kii.safe/", "Keepsafe", "", android},
	{"calculator-vault-ios/1", "com.appleoa.calculator", "a vault that looks like a calculator", "", nil},
	{"imessage/1", "/library/sms/attachments/", "iMessage", Exchanged, nil},
	{"imessage/1", "mediadomain/library/sms/", "iMessage", Exchanged, nil},
	{"imessage-macos/1", "/library/messages/attachments/", "iMessage", Exchanged, nil},

	{"whatsapp-media/1", "/whatsapp/media/", "WhatsApp", Received, []below{{"/sent/", Sent}, {"/.statuses/", Received}}},
	{"whatsapp-folder/1", "/whatsapp images/", "WhatsApp", Received, []below{{"/sent/", Sent}}},
	{"whatsapp-folder/1", "/whatsapp video/", "WhatsApp", Received, []below{{"/sent/", Sent}}},
	{"whatsapp-folder/1", "/whatsapp animated gifs/", "WhatsApp", Received, []below{{"/sent/", Sent}}},
	{"telegram-folder/1", "/telegram images/", "Telegram", Saved, nil},
	{"telegram-folder/1", "/telegram video/", "Telegram", Saved, nil},
	{"telegram-folder/1", "/telegram/", "Telegram", "", android},
	{"viber-folder/1", "/viber images/", "Viber", Saved, nil},
	{"viber-folder/1", "/viber/media/", "Viber", "", android},
	{"snapchat-folder/1", "/snapchat/", "Snapchat", Saved, nil},
	{"instagram-folder/1", "/pictures/instagram/", "Instagram", Saved, nil},
	{"messenger-folder/1", "/pictures/messenger/", "Facebook Messenger", Saved, nil},
	{"facebook-folder/1", "/pictures/facebook/", "Facebook", Saved, nil},
	{"line-folder/1", "/pictures/line/", "LINE", Saved, nil},
	{"wechat-folder/1", "/pictures/weixin/", "WeChat", Saved, nil},
	{"wechat-folder/1", "/pictures/wechat/", "WeChat", Saved, nil},
	{"signal-folder/1", "/pictures/signal/", "Signal", Saved, nil},
	{"threema-folder/1", "/threema pictures/", "Threema", Saved, nil},
	{"kik-folder/1", "/pictures/kik/", "Kik", Saved, nil},
	{"discord-folder/1", "/download/discord/", "Discord", Download, nil},

	{"screenshots-folder/1", "/screenshots/", "", Screenshot, nil},
	{"screenrecordings-folder/1", "/screen recordings/", "", Screenshot, nil},
	{"android-thumbnails/1", "/.thumbnails/", "Android", Thumbnail, nil},
	{"ios-thumbnails/1", "/photodata/thumbnails/", "Apple Photos", Thumbnail, nil},
	{"ios-derivatives/1", "/photodata/derivatives/", "Apple Photos", Thumbnail, nil},
	{"ios-mutations/1", "/photodata/mutations/", "Apple Photos", Edited, nil},
	{"ios-derivatives/1", "/resources/derivatives/", "Apple Photos", Thumbnail, nil},
	{"windows-thumbnails/1", "/microsoft/windows/explorer/", "Windows", Thumbnail, nil},
	{"android-trash/1", "/.trash", "", Deleted, nil},
	{"windows-recycled/1", "/$recycle.bin/", "Windows", Deleted, nil},
	{"ios-camera-roll/1", "camerarolldomain/media/dcim/", "", Camera, nil},
	{"android-camera-folder/1", "/dcim/camera/", "", Camera, nil},
	{"dcf-folder/1", "/dcim/", "", Camera, []below{{"/.thumbnails/", Thumbnail}, {"/screenshots/", Screenshot}}},
	{"downloads-folder/1", "/download/", "", Download, nil},
	{"downloads-folder/1", "/downloads/", "", Download, nil},
	{"browser-cache/1", "/cache2/entries/", "Firefox", Cache, nil},
	{"browser-cache/1", "/google/chrome/user data/", "Chrome", "", []below{{"/cache", Cache}}},
	{"cache-folder/1", "/library/caches/", "", Cache, nil},
	{"cache-folder/1", "/cache/", "", Cache, nil},
}
