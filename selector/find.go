package selector

import (
	"bytes"
	"cmp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Options say what is looked for.
type Options struct {
	Country   string // ISO 3166-1 alpha-2, of numbers without a country code; empty: only international ones are found
	Documents bool   // look for document numbers as well
}

// A Found is a selector in a text.
type Found struct {
	Selector
	Offset int64 // of its first byte, in the bytes that were read
}

// FindString returns the selectors in a short text, such as a name, in their order. One
// that occurs more than once is there more than once.
func FindString(s string, o Options) []Found {
	w := newWindow(o)
	w.text, w.to = []byte(s), len(s)
	w.scan()
	return w.sorted()
}

// margin is how far around a place the text is looked at to decide about it: a window of
// text gives the same answer as the whole of it.
const margin = most + 256

// A window is a piece of text in which selectors are looked for whose anchor, a sign or
// the first letter, lies in [from, to). Around that there is the margin, or the end.
type window struct {
	text      []byte
	from, to  int
	country   string
	documents bool
	found     []Found
	parsed    map[string]string
	tries     int // places that were looked at closely: what costs time
}

func newWindow(o Options) *window {
	return &window{country: strings.ToUpper(o.Country), documents: o.Documents, parsed: map[string]string{}}
}

func (w *window) emit(kind Kind, value string, start, end int, verified bool) {
	w.found = append(w.found, Found{Selector: Selector{Kind: kind, Value: value, Raw: printable(w.text[start:end]), Verified: verified}, Offset: int64(start)})
}

// sorted returns what was found in the order of places, and forgets it.
func (w *window) sorted() []Found {
	slices.SortStableFunc(w.found, func(a, b Found) int {
		return cmp.Or(cmp.Compare(a.Offset, b.Offset), strings.Compare(string(a.Kind), string(b.Kind)), strings.Compare(a.Value, b.Value))
	})
	out := slices.Compact(w.found)
	w.found = nil
	return out
}

// printable makes text of what was found, whatever its encoding.
func printable(b []byte) string {
	var out strings.Builder
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		if r == utf8.RuneError && n == 1 {
			r = rune(b[0]) // Latin-1
		}
		if !unicode.IsPrint(r) {
			r = ' '
		}
		out.WriteRune(r)
		b = b[n:]
	}
	return out.String()
}

// scan looks at every word that begins in the window, and at every sign.
func (w *window) scan() {
	t, i := w.text, w.from
	if i > 0 && isAlnum(t[i-1]) { // the word began before
		for i < w.to && isAlnum(t[i]) {
			i++
		}
	}
	for i < w.to {
		if !isAlnum(t[i]) {
			w.sign(i)
			i++
			continue
		}
		end := i + 1
		for end < len(t) && isAlnum(t[end]) {
			end++
		}
		w.word(i, end)
		i = end
	}
}

// sign looks at a byte that is neither letter nor digit.
func (w *window) sign(i int) {
	switch w.text[i] {
	case '@':
		w.email(i, 1)
		w.mention(i)
	case '%':
		if i+2 < len(w.text) && w.text[i+1] == '4' && w.text[i+2] == '0' {
			w.email(i, 3)
		}
	case ':':
		w.url(i)
		w.field(i)
	case '=':
		w.field(i)
	}
}

// word looks at letters and digits between others.
func (w *window) word(i, end int) {
	t := w.text
	switch {
	case end-i > 8 && i > 0 && t[i-1] == '%' && t[i] == '2' && t[i+1]|0x20 == 'b': // a plus in a URL
		w.phone(i + 2)
	case is(t[i], isDigit):
		w.phone(i)
	}
	n := end - i
	switch {
	case n >= 14 && n <= 106:
		w.wallet(i, end)
	case n <= 12:
		w.bareURL(i, end)
	}
	if (n == 56 || n == 16) && len(t)-end >= 6 && bytes.EqualFold(t[end:end+6], []byte(".onion")) {
		w.onion(i, end+6)
	}
	if w.documents {
		w.document(i, end)
	}
}

func (w *window) wallet(i, end int) {
	switch c := w.text[i]; c {
	case '1', '3', '4', '8', 'b', 'B', '0':
		w.tries++
		if value, verified, err := normalizeWallet(string(w.text[i:end])); err == nil {
			w.emit(Wallet, value, i, end, verified)
		}
	}
}

func (w *window) onion(i, end int) {
	if end < len(w.text) && (isAlnum(w.text[end]) || w.text[end] == '-') || i > 0 && w.text[i-1] == '-' {
		return
	}
	if value, verified, err := normalizeOnion(string(w.text[i:end])); err == nil {
		w.emit(Onion, value, i, end, verified)
	}
}

// email looks at an @ at i, which is n bytes long.
func (w *window) email(i, n int) {
	t := w.text
	start := i
	for start > 0 && i-start <= 64 && (is(t[start-1], isLocal) || t[start-1] == '\'' && start > 1 && isAlnum(t[start-2])) {
		start--
	}
	if start > 0 && t[start-1] == '%' && i-start > 2 { // a percent code ends before it
		start += 2
	}
	for start < i && !isAlnum(t[start]) && t[start] != '_' {
		start++
	}
	if start == i || i-start > 64 || start > 0 && t[start-1] >= 0x80 && letterBefore(t, start) {
		return
	}
	w.tries++
	end := i + n
	for end < len(t) && end-i <= 254 && is(t[end], isHost) && !wide(t, end) {
		end++
	}
	domain := string(bytes.TrimRight(t[i+n:end], ".-"))
	for strings.Contains(domain, ".") && !known(domain) && !strings.HasSuffix(domain, ".onion") {
		domain = domain[:strings.LastIndexByte(domain, '.')] // the ending of a file, the next sentence
	}
	value, err := normalizeEmail(string(t[start:i]) + "@" + domain)
	if err != nil || messengerHost(domain) || scaled(domain) || w.isMessageID(start) || w.isLogin(start) {
		return
	}
	w.emit(Email, value, start, i+n+len(domain), false)
}

// wide reports whether a character outside the scripts that separate words by spaces, or
// a sign, begins at i: it ends a URL or a host in the middle of a text.
func wide(t []byte, i int) bool {
	if t[i] < 0xc0 {
		return false
	}
	r, _ := utf8.DecodeRune(t[i:])
	return r != utf8.RuneError && (r >= 0x600 || !unicode.IsLetter(r))
}

func messengerHost(domain string) bool {
	switch strings.ToLower(domain) {
	case "s.whatsapp.net", "c.us", "g.us", "whatsapp.net":
		return true
	}
	return false
}

// scaled tells the name of a picture for dense screens, icon@2x.mov.
func scaled(domain string) bool {
	label, _, _ := strings.Cut(domain, ".")
	return len(label) == 2 && is(label[0], isDigit) && (label[1] == 'x' || label[1] == 'X')
}

// isLogin reports whether what stands before an @ is who logs in at a URL's host.
func (w *window) isLogin(start int) bool {
	t, k := w.text, start
	for k > 0 && start-k < 128 && is(t[k-1], isURL) && t[k-1] != '/' {
		k--
	}
	return k > 2 && string(t[k-3:k]) == "://"
}

// isMessageID reports whether a header in front says that this is the number of a message.
func (w *window) isMessageID(start int) bool {
	line := w.text[max(0, start-160):start]
	if i := bytes.LastIndexByte(line, '\n'); i >= 0 && i+1 < len(line) && line[i+1] != ' ' && line[i+1] != '\t' {
		line = line[i+1:]
	}
	line = bytes.ToLower(line)
	for _, h := range []string{"message-id:", "in-reply-to:", "references:", "content-id:"} {
		if bytes.Contains(line, []byte(h)) {
			return true
		}
	}
	return false
}

// url looks at the colon of a scheme.
func (w *window) url(i int) {
	t := w.text
	if len(t)-i < 4 || t[i+1] != '/' || t[i+2] != '/' {
		return
	}
	for _, scheme := range []string{"https", "http", "ftp"} {
		if i >= len(scheme) && bytes.EqualFold(t[i-len(scheme):i], []byte(scheme)) {
			w.urlFrom(i-len(scheme), i+3)
			return
		}
	}
}

// shortHosts are written without a scheme, and their links are worth finding.
var shortHosts = []string{"t.me/", "wa.me/", "mega.nz/", "youtu.be/", "bit.ly/", "instagram.com/", "tiktok.com/", "facebook.com/", "twitter.com/", "x.com/", "snapchat.com/add/", "discord.gg/",
	"chat.whatsapp.com/", "telegram.me/", "anonfiles.com/", "gofile.io/", "dropbox.com/", "drive.google.com/", "vk.com/", "kik.me/", "linktr.ee/", "onlyfans.com/", "pastebin.com/", "tinyurl.com/"}

// bareURL looks at the first word of a URL without a scheme.
func (w *window) bareURL(i, end int) {
	t := w.text
	if end >= len(t) || t[end] != '.' || i > 0 && strings.IndexByte("/@.-_:%", t[i-1]) >= 0 {
		return
	}
	if bytes.EqualFold(t[i:end], []byte("www")) {
		w.urlFrom(i, end+1)
		return
	}
	for _, h := range shortHosts {
		if len(t)-i > len(h) && bytes.EqualFold(t[i:i+len(h)], []byte(h)) {
			w.urlFrom(i, i+len(h))
			return
		}
	}
}

// urlFrom reads a URL from start on, of which the host begins at or before i.
func (w *window) urlFrom(start, i int) {
	t := w.text
	end := i
	for end < len(t) && end-start <= most && (is(t[end], isURL) || t[end] >= 0x80 && !wide(t, end)) {
		if t[end] == '\'' && start > 0 && t[start-1] == '\'' {
			break
		}
		end++
	}
	if end-start > most || w.isNamespace(start) {
		return
	}
	end = start + len(trimURL(t[start:end]))
	if end <= i {
		return
	}
	w.tries++
	raw := string(t[start:end])
	value, err := normalizeURL(raw)
	if err != nil || strings.HasPrefix(value, "https://www.w3.org/") {
		return
	}
	w.emit(URL, value, start, end, false)
	if name := profile(raw); name != "" {
		if user, err := normalizeUser(name); err == nil {
			w.emit(User, user, start, end, false)
		}
	}
}

// trimURL takes away what ends a sentence or a bracket around a URL.
func trimURL(b []byte) []byte {
	for len(b) > 0 {
		last := b[len(b)-1]
		switch {
		case strings.IndexByte(".,:;!?'*", last) >= 0:
		case last == ')' && bytes.Count(b, []byte("(")) < bytes.Count(b, []byte(")")):
		case last == ']' && bytes.Count(b, []byte("[")) < bytes.Count(b, []byte("]")):
		default:
			return b
		}
		b = b[:len(b)-1]
	}
	return b
}

// isNamespace reports whether an attribute of XML in front says that this names a
// vocabulary.
func (w *window) isNamespace(start int) bool {
	before := w.text[max(0, start-40):start]
	i := bytes.LastIndex(before, []byte("xmlns"))
	return i >= 0 && !bytes.ContainsAny(before[i:], " \n>")
}

// words that follow an @ and are no names, in style sheets and programs.
var notNames = map[string]bool{"media": true, "import": true, "charset": true, "keyframes": true, "supports": true, "page": true, "layer": true, "namespace": true, "include": true,
	"mixin": true, "override": true, "param": true, "return": true, "returns": true, "author": true, "since": true, "see": true, "throws": true, "deprecated": true, "version": true,
	"property": true, "interface": true, "implementation": true, "end": true, "class": true, "type": true, "todo": true, "lid": true, "broadcast": true, "newsletter": true, "call": true}

// mention looks at the @ before a name.
func (w *window) mention(i int) {
	t := w.text
	if i > 0 {
		switch c := t[i-1]; {
		case isAlnum(c), strings.IndexByte("._+-%/@=&#~\\", c) >= 0, c >= 0x80 && letterBefore(t, i):
			return
		}
	}
	end := i + 1
	for end < len(t) && end-i <= 33 && is(t[end], isName) && t[end] != '-' {
		end++
	}
	for end > i+1 && t[end-1] == '.' {
		end--
	}
	name := string(t[i+1 : end])
	if len(name) < 3 || len(name) > 32 || is(name[0], isDigit) || name[0] == '.' || !hasLetter(name) || notNames[strings.ToLower(name)] {
		return
	}
	if end < len(t) && (t[end] == '@' || t[end] == '/' || t[end] == '(' || t[end] == '-' || t[end] >= 0xc0 && !wide(t, end)) {
		return
	}
	w.emit(User, strings.ToLower(name), i, end, false)
}

// fields are the names of fields that hold user names.
var fields = map[string]bool{"user": true, "username": true, "user_name": true, "user-name": true, "user name": true, "screenname": true, "screen_name": true, "screen name": true,
	"nickname": true, "nick": true, "handle": true, "telegram": true, "snapchat": true, "snap": true, "kik": true, "instagram": true, "insta": true, "skype": true, "wickr": true,
	"discord": true, "threema": true, "tiktok": true, "benutzername": true, "benutzer": true, "usuario": true, "utilisateur": true, "gebruikersnaam": true, "unique_id": true, "uniqueid": true}

var noValues = map[string]bool{"null": true, "none": true, "true": true, "false": true, "undefined": true, "string": true, "name": true, "unknown": true, "text": true, "http": true, "https": true}

// field looks at the sign between a field and its value.
func (w *window) field(i int) {
	t := w.text
	end := i
	for end > 0 && i-end < 4 && (t[end-1] == ' ' || t[end-1] == '"' || t[end-1] == '\'') {
		end--
	}
	start := end
	for start > 0 && end-start < 24 && (is(t[start-1], isLetter) || t[start-1] == '_' || t[start-1] == '-') {
		start--
	}
	key := strings.ToLower(string(t[start:end]))
	if start > 0 && isAlnum(t[start-1]) || !fields[strings.Trim(key, "_-")] && !fields[lastPart(key)] {
		return
	}
	from := i + 1
	for from < len(t) && from-i < 6 && (t[from] == ' ' || t[from] == '"' || t[from] == '\'' || t[from] == '@' || t[from] == '\t') {
		from++
	}
	to := from
	for to < len(t) && to-from <= 65 && is(t[to], isName) {
		to++
	}
	for to > from && (t[to-1] == '.' || t[to-1] == '-') {
		to--
	}
	if to < len(t) && (t[to] == '@' || t[to] == '(' || t[to] == '/' || t[to] == ':' || t[to] == '$' || t[to] == '%' || t[to] >= 0xc0 && !wide(t, to)) {
		return
	}
	raw := string(t[from:to])
	if len(raw) < 3 || !hasLetter(raw) || noValues[strings.ToLower(raw)] {
		return
	}
	if value, err := normalizeUser(raw); err == nil {
		w.emit(User, value, from, to, false)
	}
}

// lastPart is what follows the prefix of a program's own in the name of a field: sender_username.
func lastPart(key string) string {
	for _, s := range []string{"username", "user_name", "screen_name", "nickname"} {
		if strings.HasSuffix(key, "_"+s) {
			return s
		}
	}
	return ""
}

// documentWords are in front of the numbers of documents.
var documentWords = []string{"passport", "reisepass", "passeport", "pasaporte", "paspoort", "passaporto", "ausweis", "perso", "id card", "identity card", "idcard", "id no", "id-nr", "dni", "nie", "cedula", "cédula",
	"carte d'identit", "document no", "document number", "document nr", "driving licen", "driver's licen", "driver licen", "führerschein", "visa no", "personalausweis"}

// document looks at a word that a word in front calls the number of a document.
func (w *window) document(i, end int) {
	t := w.text
	if end-i < 5 || end-i > 24 || countDigits(string(t[i:end])) < 2 {
		return
	}
	before := t[max(0, i-40):i]
	if k := bytes.LastIndexAny(before, "\r\n0123456789"); k >= 0 {
		before = before[k+1:]
	}
	text := strings.ToLower(string(before))
	for _, word := range documentWords {
		if !strings.Contains(text, word) {
			continue
		}
		if value, err := normalizeDocument(string(t[i:end])); err == nil {
			w.emit(Document, value, i, end, false)
		}
		return
	}
}
