package selector

import (
	"net/netip"
	"net/url"
	"path"
	"strings"
)

// normalizeURL returns the canonical form of a URL: without user and password and the
// usual port, http written as https, the host in ASCII and lower case, a path without
// dots, percent codes only where they are needed. Query and fragment stay as they are.
func normalizeURL(raw string) (string, error) {
	s := raw
	if i := strings.Index(s, "://"); i < 0 || i > 8 {
		s = "https://" + s
	}
	scheme, rest, _ := strings.Cut(s, "://")
	switch scheme = strings.ToLower(scheme); scheme {
	case "http", "https":
		scheme = "https"
	case "ftp":
	default:
		return "", bad("%q is not a URL that is read: those are of http, https and ftp", clip(raw))
	}
	cut := strings.IndexAny(rest, "/?#")
	if cut < 0 {
		cut = len(rest)
	}
	authority, tail := rest[:cut], rest[cut:]
	authority = authority[strings.LastIndexByte(authority, '@')+1:]
	name, ok := authorityOf(authority)
	if !ok {
		return "", bad("%q is not a URL: its host is none", clip(raw))
	}
	tail, fragment, hasFragment := strings.Cut(tail, "#")
	where, query, hasQuery := strings.Cut(tail, "?")
	out := scheme + "://" + name + cleanPath(percent(where))
	if hasQuery {
		out += "?" + percent(query)
	}
	if hasFragment && fragment != "" {
		out += "#" + percent(fragment)
	}
	if len(out) > most {
		return "", bad("%q is too long for a URL", clip(raw))
	}
	return out, nil
}

// authorityOf reads host and port.
func authorityOf(s string) (string, bool) {
	if strings.HasPrefix(s, "[") {
		end := strings.IndexByte(s, ']')
		if end < 0 {
			return "", false
		}
		a, err := netip.ParseAddr(s[1:end])
		port, ok := portOf(s[end+1:])
		return "[" + a.String() + "]" + port, err == nil && ok && a.Zone() == ""
	}
	name, port := s, ""
	if i := strings.LastIndexByte(s, ':'); i >= 0 {
		name, port = s[:i], s[i:]
	}
	port, ok := portOf(port)
	if !ok {
		return "", false
	}
	if a, err := netip.ParseAddr(name); err == nil && a.Is4() {
		return a.String() + port, true
	}
	if u, err := url.PathUnescape(name); err == nil {
		name = u
	}
	if name, ok = host(name); !ok || !known(name) && !strings.HasSuffix(name, ".onion") {
		return "", false
	}
	return name + port, true
}

func portOf(s string) (string, bool) {
	switch s {
	case "", ":", ":80", ":443":
		return "", true
	}
	if s[0] != ':' || len(s) > 6 {
		return "", false
	}
	for i := range len(s) - 1 {
		if !is(s[i+1], isDigit) {
			return "", false
		}
	}
	return s, true
}

// cleanPath removes dot segments; a path that is empty is "/".
func cleanPath(p string) string {
	if p == "" {
		return "/"
	}
	if !strings.Contains(p, "/.") {
		return p
	}
	clean := path.Clean(p)
	if strings.HasSuffix(p, "/") && clean != "/" || strings.HasSuffix(p, "/.") || strings.HasSuffix(p, "/..") {
		clean = strings.TrimSuffix(clean, "/") + "/"
	}
	return clean
}

const upperHex = "0123456789ABCDEF"

// percent writes percent codes in one way: those of unreserved characters (RFC 3986,
// 2.3) are resolved, all others are in upper case, and bytes outside ASCII have one.
func percent(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		c := s[i]
		coded := c == '%' && i+2 < len(s) && hexValue(s[i+1]) < 16 && hexValue(s[i+2]) < 16
		if coded {
			c = hexValue(s[i+1])<<4 | hexValue(s[i+2])
			i += 2
		}
		switch {
		case isAlnum(c) || strings.IndexByte("-._~", c) >= 0, !coded && c > ' ' && c < 0x7f:
			b.WriteByte(c)
		default:
			b.WriteByte('%')
			b.WriteByte(upperHex[c>>4])
			b.WriteByte(upperHex[c&15])
		}
	}
	return b.String()
}

func hexValue(c byte) byte {
	switch {
	case c >= '0' && c <= '9':
		return c - '0'
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10
	}
	return 0xff
}

func afterScheme(s string) string {
	if _, rest, ok := strings.Cut(s, "://"); ok {
		return rest
	}
	return s
}

func hostOf(s string) string {
	s = afterScheme(s)
	if i := strings.IndexAny(s, "/?#"); i >= 0 {
		s = s[:i]
	}
	s = s[strings.LastIndexByte(s, '@')+1:]
	name, _, _ := strings.Cut(s, ":")
	return strings.ToLower(name)
}

// profiles are the hosts whose paths begin with a user name, or with a word before it.
var profiles = map[string][]string{
	"instagram.com": {""}, "tiktok.com": {"@"}, "twitter.com": {""}, "x.com": {""}, "t.me": {"", "s/"}, "telegram.me": {""},
	"facebook.com": {""}, "m.facebook.com": {""}, "vk.com": {""}, "ok.ru": {"profile/"}, "snapchat.com": {"add/", "@"}, "kik.me": {""}, "youtube.com": {"@", "user/"},
	"reddit.com": {"user/", "u/"}, "old.reddit.com": {"user/", "u/"}, "pinterest.com": {""}, "twitch.tv": {""}, "onlyfans.com": {""}, "linkedin.com": {"in/"}, "github.com": {""},
	"threads.net": {"@"}, "discord.com": {"users/"}, "steamcommunity.com": {"id/"}, "roblox.com": {"user/"}, "omegle.com": nil,
}

// pages are first parts of paths that are no names.
var pages = map[string]bool{"p": true, "reel": true, "reels": true, "explore": true, "stories": true, "accounts": true, "i": true, "home": true, "search": true, "intent": true,
	"share": true, "sharer": true, "hashtag": true, "watch": true, "groups": true, "pages": true, "events": true, "photo": true, "photo.php": true, "photos": true, "profile.php": true,
	"login": true, "login.php": true, "settings": true, "joinchat": true, "addstickers": true, "c": true, "s": true, "share.php": true, "sharer.php": true, "story.php": true,
	"permalink.php": true, "tv": true, "about": true, "legal": true, "privacy": true, "directory": true, "status": true, "wall": true, "video": true, "videos": true, "proxy": true,
	"add": true, "dialog": true, "plugins": true, "tr": true, "help": true, "marketplace": true, "messages": true, "features": true, "topics": true, "orgs": true, "iv": true, "pin": true}

// profile returns the user name in the address of a profile, "" when there is none.
func profile(raw string) string {
	name := strings.TrimPrefix(hostOf(raw), "www.")
	rest := afterScheme(raw)
	i := strings.IndexByte(rest, '/')
	if i < 0 {
		return ""
	}
	rest = rest[i+1:]
	for _, before := range profiles[name] {
		tail, ok := strings.CutPrefix(rest, before)
		if !ok {
			continue
		}
		end := 0
		for end < len(tail) && is(tail[end], isName) {
			end++
		}
		user := strings.TrimRight(tail[:end], ".")
		whole := end == len(tail) || strings.IndexByte("/?#", tail[end]) >= 0
		if whole && len(user) >= 2 && !pages[strings.ToLower(user)] && hasLetter(user) {
			return user
		}
	}
	return ""
}

func hasLetter(s string) bool {
	for i := range len(s) {
		if is(s[i], isLetter) {
			return true
		}
	}
	return false
}
