package origin_test

import (
	"encoding/json"
	"strings"
	"testing"

	"semblance/origin"
)

// TestOf: names and folders as phones and messengers give them.
func TestOf(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ path, name, folder string }{
		{"DCIM/Camera/IMG-20190504-WA0003.jpg", "WhatsApp|exchanged|2019-05-04|unknown|whatsapp-name/1", "|camera|||android-camera-folder/1"},
		{"VID-20190504-WA0003 (1).mp4", "WhatsApp|exchanged|2019-05-04|unknown|whatsapp-name/1", ""},
		{"WhatsApp/Media/WhatsApp Images/Sent/IMG-20190504-WA0003.jpg", "WhatsApp|exchanged|2019-05-04|unknown|whatsapp-name/1", "WhatsApp|sent|||whatsapp-media/1"},
		{"media/0/Android/media/com.whatsapp/WhatsApp/Media/WhatsApp Images/IMG-20190504-WA0003.jpg", "WhatsApp|exchanged|2019-05-04|unknown|whatsapp-name/1", "WhatsApp|received|||whatsapp-android/1"},
		{"WhatsApp Image 2019-05-04 at 10.11.12.jpeg", "WhatsApp|saved|2019-05-04|unknown|whatsapp-long-name/1", ""},
		{"WhatsApp Image 2019-05-04 at 10.11.12 PM (2).jpeg", "WhatsApp|saved|2019-05-04|unknown|whatsapp-long-name/1", ""},
		{"PHOTO-2019-05-04-10-11-12.jpg", "WhatsApp|saved|2019-05-04T10:11:12|unknown|whatsapp-ios-name/1", ""},
		{"chats/00000012-PHOTO-2019-05-04-10-11-12.jpg", "WhatsApp|exchanged|2019-05-04T10:11:12|unknown|whatsapp-ios-export/1", ""},
		{"AppDomainGroup-group.net.whatsapp.WhatsApp.shared/Message/Media/49170/a/b/ab.jpg", "", "WhatsApp|exchanged|||whatsapp-ios/1"},
		{"Telegram Desktop/photo_123@04-05-2019_10-11-12.jpg", "Telegram|exchanged|2019-05-04T10:11:12|unknown|telegram-desktop-name/1", "Telegram|download|||telegram-desktop/1"},
		{"photo_2019-05-04_10-11-12 (2).jpg", "Telegram|saved|2019-05-04T10:11:12|unknown|telegram-desktop-saved/1", ""},
		{"data/data/org.telegram.messenger/cache/-5273645263_121.jpg", "", "Telegram|cache|||telegram-android/1"},
		{"Android/data/org.telegram.messenger/files/Telegram/Telegram Images/4_5900000000000000001.jpg", "", "Telegram|||telegram-android/1"},
		{"Pictures/Signal/signal-2020-07-08-09-10-11-123.jpg", "Signal|saved|2020-07-08T09:10:11.123|unknown|signal-name/1", "Signal|saved|||signal-folder/1"},
		{"signal-2020-07-08-091011.jpg", "Signal|saved|2020-07-08T09:10:11|unknown|signal-name/1", ""},
		{"Snapchat-1234567890.jpg", "Snapchat|saved|||snapchat-name/1", ""},
		{"IMG-0-02-05-8f3c2b1a0d9e8f7c6b5a40392817f6e5d4c3b2a1_1c6da1d8b2a3f.jpg", "Viber|exchanged|||viber-name/1", ""},
		{"received_1234567890123456.jpeg", "Facebook Messenger|received|||facebook-received/1", ""},
		{"FB_IMG_1556957472123.jpg", "Facebook|saved|2019-05-04T08:11:12.123|UTC|facebook-name/1", ""},
		{"12345678_1234567890123456_1234567890123456789_n.jpg", "Facebook|download|||facebook-web-name/1", ""},
		{"mmexport1556957472123.jpg", "WeChat|saved|2019-05-04T08:11:12.123|UTC|wechat-name/1", ""},
		{"wx_camera_1556957472123.jpg", "WeChat|camera|2019-05-04T08:11:12.123|UTC|wechat-camera/1", ""},
		{"LINE_ALBUM_trip_190504_1.jpg", "LINE|saved|||line-name/1", ""},
		{"1556957472123.jpg", "||2019-05-04T08:11:12.123|UTC|milliseconds-name/1", ""},
		{"threema-20190504-101112123.jpg", "Threema|saved|2019-05-04T10:11:12.123|unknown|threema-name/1", ""},
		{"data/data/kik.android/cache/chatPicsBig/ab-cd", "", "Kik|cache|||kik-android/1"},
		{"HomeDomain/Library/SMS/Attachments/aa/10/IMG_0001.HEIC", "|camera|||ios-camera/1", "iMessage|exchanged|||imessage/1"},
		{"CameraRollDomain/Media/DCIM/100APPLE/IMG_0001.HEIC", "|camera|||ios-camera/1", "|camera|||ios-camera-roll/1"},
		{"private/var/mobile/Media/DCIM/100APPLE/IMG_E0001.JPG", "|camera|||ios-camera/1", "|camera|||dcf-folder/1"},
		{"private/var/mobile/Media/PhotoData/Thumbnails/V2/DCIM/100APPLE/IMG_0001.JPG/5003.JPG", "", "Apple Photos|thumbnail|||ios-thumbnails/1"},
		{"DCIM/Camera/20190504_101112.jpg", "|camera|2019-05-04T10:11:12|unknown|samsung-camera/1", "|camera|||android-camera-folder/1"},
		{"DCIM/Camera/IMG_20190504_101112.jpg", "|camera|2019-05-04T10:11:12|unknown|android-camera/1", "|camera|||android-camera-folder/1"},
		{"PXL_20210504_101112345.PORTRAIT-01.COVER.jpg", "|camera|2021-05-04T10:11:12.345|UTC|pixel-camera/1", ""},
		{"PXL_20210504_101112345.jpg", "|camera|2021-05-04T10:11:12.345|UTC|pixel-camera/1", ""},
		{"WP_20140504_10_11_12_Pro.jpg", "|camera|2014-05-04T10:11:12|unknown|windows-phone/1", ""},
		{"DCIM/100NIKON/DSCN0042.JPG", "|camera|||dcf-camera/1", "|camera|||dcf-folder/1"},
		{"_MG_1234.CR2", "|camera|||dcf-camera/1", ""},
		{"DCIM/Screenshots/Screenshot_20190504-101112_WhatsApp.jpg", "|screenshot|2019-05-04T10:11:12|unknown|android-screenshot/1", "|screenshot|||screenshots-folder/1"},
		{"Screenshot_2019-05-04-10-11-12-123_com.instagram.android.png", "|screenshot|2019-05-04T10:11:12.123|unknown|android-screenshot/1", ""},
		{"Screen Shot 2019-05-04 at 10.11.12.png", "|screenshot|2019-05-04|unknown|macos-screenshot/1", ""},
		{"RPReplay_Final1556957472.MP4", "|screenshot|2019-05-04T08:11:12|UTC|ios-screenrecord/1", ""},
		{"image_175928847299117063.png", "Discord|download|2016-04-30T11:18:25.796|UTC|discord-name/1", ""}, // the example of Discord's documentation
		{"Users/x/AppData/Local/Microsoft/Windows/Explorer/thumbcache_256.db", "Windows|thumbnail|||windows-thumbnail/1", "Windows|thumbnail|||windows-thumbnails/1"},
		{"DCIM/.thumbnails/123.jpg", "", "Android|thumbnail|||android-thumbnails/1"},
		{"IMG_20191304_101112.jpg", "", ""}, // no such month
		{"99991304_101112.jpg", "", ""},
		{"holiday.jpg", "", ""},
		{"", "", ""},
		{"a/b/", "", ""},
	} {
		o := origin.Of(c.path)
		if got := text(o.Name); got != c.name {
			t.Errorf("name of %s: %q, want %q", c.path, got, c.name)
		}
		if got := text(o.Folder); got != c.folder {
			t.Errorf("folder of %s: %q, want %q", c.path, got, c.folder)
		}
	}
}

func text(f *origin.Fact) string {
	if f == nil {
		return ""
	}
	s := f.Application + "|" + string(f.Kind) + "|" + f.Time + "|" + f.Zone + "|" + f.Rule
	if f.Kind == "" && f.Time == "" && f.Application != "" {
		return f.Application + "|||" + f.Rule
	}
	return s
}

// TestRulesAreDistinct: every rule has a name with a version.
func TestRulesAreDistinct(t *testing.T) {
	t.Parallel()
	for _, r := range origin.Rules() {
		name, version, ok := strings.Cut(r, "/")
		if !ok || name == "" || version == "" || strings.ToLower(name) != name {
			t.Errorf("rule %q", r)
		}
	}
}

// FuzzOf: whatever a file is called, an answer is the same each time, and its times can be
// read.
func FuzzOf(f *testing.F) {
	f.Add("DCIM/Camera/IMG-20190504-WA0003.jpg")
	f.Add("mmexport9999999999999.jpg")
	f.Add("a\x00/\xff\xfe/photo_1@31-12-2019_25-61-61.jpg")
	f.Add(strings.Repeat("IMG_", 1000) + strings.Repeat(" (1)", 1000) + ".jpg")
	f.Fuzz(func(t *testing.T, path string) {
		a, b := origin.Of(path), origin.Of(path)
		x, _ := json.Marshal(a) // plain data: cannot fail
		y, _ := json.Marshal(b)
		if string(x) != string(y) {
			t.Fatalf("%s and %s", x, y)
		}
		for _, fact := range []*origin.Fact{a.Name, a.Folder} {
			if fact != nil && (fact.Rule == "" || (fact.Time == "") != (fact.Zone == "")) {
				t.Fatalf("%s", x)
			}
		}
	})
}

func BenchmarkOf(b *testing.B) {
	for b.Loop() {
		origin.Of("media/0/DCIM/Camera/holiday in the mountains.jpg")
	}
}
