package selector

import (
	"bytes"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/nyaruka/phonenumbers"
)

// normalizePhone reads a number that is known to be one and returns it as E.164.
func normalizePhone(raw, country string) (string, error) {
	s := raw
	if len(s) > 4 && strings.EqualFold(s[:4], "tel:") {
		s = s[4:]
	}
	if id, ok := messengerNumber(s); ok {
		s = "+" + id
	}
	n, err := phonenumbers.Parse(s, strings.ToUpper(country))
	if err == nil && !phonenumbers.IsValidNumber(n) {
		if now, ok := renumbered("+" + digitsOf(phonenumbers.Format(n, phonenumbers.E164))); ok {
			return now, nil
		}
	}
	switch {
	case err != nil && country == "" && !strings.HasPrefix(s, "+"):
		return "", bad("%q has no country code, and no country is given", clip(raw))
	case err != nil:
		return "", bad("%q is not a phone number: %v", clip(raw), err)
	case !phonenumbers.IsValidNumber(n):
		if strings.HasPrefix(s, "+") || country == "" {
			return "", bad("%q is not a valid phone number: no country gives out such a one", clip(raw))
		}
		return "", bad("%q is not a valid phone number of %s; write the country code with a plus if it is one of another country", clip(raw), strings.ToUpper(country))
	}
	return phonenumbers.Format(n, phonenumbers.E164), nil
}

// renumbered returns today's form of a mobile number in one that accounts were made with
// and still bear: of Mexico with a 1 behind the country code (until 2019), of Brazil with
// eight digits (until 2016).
func renumbered(e164 string) (string, bool) {
	switch {
	case strings.HasPrefix(e164, "+521") && len(e164) == 14:
		e164 = "+52" + e164[4:]
	case strings.HasPrefix(e164, "+55") && len(e164) == 13 && e164[5] >= '6':
		e164 = e164[:5] + "9" + e164[5:]
	default:
		return "", false
	}
	n, err := phonenumbers.Parse(e164, "")
	return e164, err == nil && phonenumbers.IsValidNumber(n)
}

// messengers are what follows the number in the account of a WhatsApp user or the group
// that one made.
var messengers = []string{"@s.whatsapp.net", "@c.us", "@g.us", "@whatsapp.net"}

// messengerNumber returns the digits of a WhatsApp account, such as
// 491711234567@s.whatsapp.net or 491711234567-1500000000@g.us.
func messengerNumber(s string) (string, bool) {
	for _, m := range messengers {
		if id, ok := strings.CutSuffix(strings.ToLower(s), m); ok {
			id, _, _ = strings.Cut(id, "-")
			id, _, _ = strings.Cut(id, ":") // a second device
			return id, len(id) >= 7 && len(id) <= 15 && countDigits(id) == len(id)
		}
	}
	return "", false
}

// maxRun is how many bytes of digits and separators are read as one number.
const maxRun = 40

// separator returns the length of what may stand between two groups of a number's digits
// at i, 0 when nothing does or it is no such thing: at most three signs, of which none
// ends a line or a column.
func separator(t []byte, i int) int {
	n, signs := i, 0
	for n < len(t) {
		k := separating(t, n)
		if k == 0 {
			break
		}
		if signs++; signs > 3 {
			return 0
		}
		n += k
	}
	if n == i || n >= len(t) || !is(t[n], isDigit) {
		return 0
	}
	return n - i
}

// separating returns the length of one separating sign at i, 0 for anything else.
func separating(t []byte, i int) int {
	switch t[i] {
	case ' ', '-', '.', '/', '(', ')':
		return 1
	case 0xc2: // no-break space
		if i+1 < len(t) && t[i+1] == 0xa0 {
			return 2
		}
	case 0xe2: // hyphens and dashes, narrow no-break space, direction marks
		if i+2 < len(t) && t[i+1] == 0x80 && (t[i+2] >= 0x90 && t[i+2] <= 0x95 || t[i+2] == 0xaf || t[i+2] == 0x89 || t[i+2] == 0x8e || t[i+2] == 0x8f) {
			return 3
		}
	}
	return 0
}

// A run is digits in groups that may be one number. first is its first digit.
type run struct {
	first, end int
	groups     [][2]int
	digits     int
}

// runAt reads the run that begins with the digit at i. Two numbers beside each other are
// two runs: where a group is as long as a number can be, a single space ends the run.
func runAt(t []byte, i int) run {
	r := run{first: i, end: i}
	for {
		end := digitsFrom(t, r.end)
		r.groups = append(r.groups, [2]int{r.end, end})
		r.digits += end - r.end
		r.end = end
		n := separator(t, end)
		if n == 0 || r.end-r.first > maxRun {
			return r
		}
		if apart(t, r.groups[len(r.groups)-1], [2]int{end + n, digitsFrom(t, end+n)}) {
			return r
		}
		r.end = end + n
	}
}

// digitsFrom returns where the digits that begin at i end; more than maxRun do not matter.
func digitsFrom(t []byte, i int) int {
	end := i
	for end < len(t) && end-i <= maxRun && is(t[end], isDigit) {
		end++
	}
	return end
}

// apart reports whether two groups beside each other are of two numbers.
func apart(t []byte, a, b [2]int) bool {
	return a[1]-a[0] >= 9 && b[1]-b[0] >= 9 && bytes.IndexByte(t[a[1]:b[0]], ' ') >= 0
}

// begins reports whether the group of digits at i is the first of its run: no group stands
// before it, or one that is another number.
func begins(t []byte, i int) bool {
	if i > 0 && t[i-1] == '+' || i >= 3 && (bytes.EqualFold(t[i-3:i], []byte("%2b")) || string(t[i-3:i]) == "\uff0b") {
		return true
	}
	k, signs := i, 0
	for k > 0 && signs < 4 {
		n := separatingBefore(t, k)
		if n == 0 {
			break
		}
		signs++
		k -= n
	}
	if signs == 0 || signs > 3 || k == 0 || !is(t[k-1], isDigit) {
		return true
	}
	start := k
	for start > 0 && k-start <= maxRun && is(t[start-1], isDigit) {
		start--
	}
	return apart(t, [2]int{start, k}, [2]int{i, digitsFrom(t, i)})
}

func separatingBefore(t []byte, k int) int {
	for n := 1; n <= 3 && n <= k; n++ {
		if separating(t, k-n) == n {
			return n
		}
	}
	return 0
}

// phone looks at the digits at i, which stand behind no other digit.
func (w *window) phone(i int) {
	t := w.text
	if !begins(t, i) {
		return
	}
	r := runAt(t, i)
	if r.digits < 7 || r.end-r.first > maxRun || w.messenger(r) || r.digits > 17 {
		return
	}
	w.tries++
	start, plus := leads(t, i)
	if !w.standsAlone(r, start, plus) || w.inURL(start) && !w.asked(start, plus) {
		return
	}
	body := string(t[r.first:r.end])
	switch {
	case plus:
		w.number("+"+digitsOf(body), start, r.end)
	case w.asked(start, false):
		w.number("+"+digitsOf(body), start, r.end)
	case w.country != "" && !looksOtherwise(t, r):
		w.national(body, r, start)
	}
}

// leads returns where a number begins whose first digit is at i, and whether with a plus.
func leads(t []byte, i int) (start int, plus bool) {
	start = i
	if start > 0 && t[start-1] == '(' {
		start--
	}
	switch {
	case start > 0 && t[start-1] == '+':
		start--
		plus = true
	case start >= 3 && string(t[start-3:start]) == "\uff0b":
		start -= 3
		plus = true
	case start >= 3 && bytes.EqualFold(t[start-3:start], []byte("%2b")):
		start -= 3
		plus = true
	}
	if plus && start > 0 && t[start-1] == '(' {
		start--
	}
	return start, plus
}

// standsAlone reports whether nothing beside a run says that it is part of something else:
// letters, a currency, a percent sign, a longer number, a time.
func (w *window) standsAlone(r run, start int, plus bool) bool {
	t := w.text
	if start > 0 {
		switch c := t[start-1]; {
		case isAlnum(c):
			return plus && t[start] == '%' || w.asked(start, plus)
		case plus:
			if c == '+' || c == '^' {
				return false
			}
		case strings.IndexByte("%$#_-.\\+*^", c) >= 0:
			return false
		case c >= 0x80 && letterBefore(t, start):
			return false
		}
	}
	if r.end >= len(t) {
		return true
	}
	next := byte(0)
	if r.end+1 < len(t) {
		next = t[r.end+1]
	}
	switch c := t[r.end]; {
	case c == 'x' || c == 'X' || c == 'e' && next == 'x': // an extension
		return is(next, isDigit) || c == 'e'
	case isAlnum(c), c == '%', c == '@', c == '+' && !is(next, isDigit):
		return false
	case strings.IndexByte(".,:/-", c) >= 0 && is(next, isDigit):
		return false
	case c == '_':
		return plus
	case c >= 0x80 && (bytes.HasPrefix(t[r.end:], []byte("€")) || bytes.HasPrefix(t[r.end:], []byte("°"))):
		return false
	}
	return true
}

// letterBefore reports whether a letter outside ASCII, also one of Latin-1, or the sign of
// a currency ends at i.
func letterBefore(t []byte, i int) bool {
	r, n := utf8.DecodeLastRune(t[max(0, i-utf8.UTFMax):i])
	return r == utf8.RuneError && n == 1 || unicode.IsLetter(r) || unicode.Is(unicode.Sc, r)
}

// messenger finds the number in the account of a WhatsApp user.
func (w *window) messenger(r run) bool {
	t := w.text
	for _, m := range messengers {
		if len(t)-r.end < len(m) || !bytes.EqualFold(t[r.end:r.end+len(m)], []byte(m)) {
			continue
		}
		id, ok := messengerNumber(string(t[r.first:r.end]) + m)
		if ok && (r.first == 0 || !isAlnum(t[r.first-1])) {
			w.number("+"+id, r.first, r.end+len(m))
		}
		return true
	}
	return false
}

// number reports an international number when it is valid.
func (w *window) number(e164 string, start, end int) {
	if len(e164) > 16 || len(e164) < 8 {
		return
	}
	if value := w.parse(e164, ""); value != "" {
		w.emit(Phone, value, start, end, false)
	}
}

// national reports a number in the form of the country when it is valid, and something
// says that it is one: the national prefix, groups as numbers are written in, or a word
// in front of it.
func (w *window) national(body string, r run, start int) {
	digits := digitsOf(body)
	prefixed := strings.HasPrefix(digits, "0") && len(digits) >= 9
	grouped := len(r.groups) > 1 && wellGrouped(w.text, r)
	labeled := false
	if !prefixed && !grouped {
		if labeled = w.labeled(start); !labeled {
			return
		}
	}
	if value := w.parse(body, w.country); value != "" {
		w.emit(Phone, value, start, r.end, false)
		return
	}
	if labeled && len(digits) >= 10 {
		w.number("+"+digits, start, r.end)
	}
}

// maxParsed is how many answers are kept: the same numbers come again and again.
const maxParsed = 4096

// parse returns a valid number as E.164, "" for anything else.
func (w *window) parse(s, country string) string {
	key := country + s
	if v, ok := w.parsed[key]; ok {
		return v
	}
	value := ""
	if n, err := phonenumbers.ParseAndKeepRawInput(s, country); err == nil && phonenumbers.VALID.Verify(n, s) {
		value = phonenumbers.Format(n, phonenumbers.E164)
	} else if now, ok := renumbered(s); ok {
		value = now
	}
	if len(w.parsed) >= maxParsed {
		clear(w.parsed)
	}
	w.parsed[key] = value
	w.tries++
	return value
}

func digitsOf(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, s)
}

// wellGrouped reports whether groups are as numbers are written: two to six, only the
// first of one digit, and not all of them behind points, which are decimals.
func wellGrouped(t []byte, r run) bool {
	if len(r.groups) > 6 || r.digits < 8 {
		return false
	}
	for i, g := range r.groups {
		if n := g[1] - g[0]; n > 8 || i > 0 && n < 2 {
			return false
		}
	}
	return len(r.groups) > 2 || t[r.groups[0][1]] != '.'
}

var (
	dateText = regexp.MustCompile(`^(?:(?:19|20)\d\d[-./ ](?:0?[1-9]|1[0-2])[-./ ](?:0?[1-9]|[12]\d|3[01])|(?:0?[1-9]|[12]\d|3[01])[-./](?:0?[1-9]|[12]\d|3[01])[-./](?:(?:19|20)\d\d|\d\d))(?:\D|$)`)
	dateRun  = regexp.MustCompile(`^(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?:[- .]?(?:[01]\d|2[0-3])[0-5]\d(?:[0-5]\d)?)?$`)
)

// looksOtherwise reports whether a run without a plus is a date, a time, an address of a
// network, a decimal or a range rather than a number.
func looksOtherwise(t []byte, r run) bool {
	body := t[r.first:r.end]
	if dateText.Match(body) || dateRun.Match(body) || bytes.Count(body, []byte("/")) > 1 {
		return true
	}
	if r.end < len(t) && t[r.end] == ':' { // the hour of a time
		return r.end+1 < len(t) && is(t[r.end+1], isDigit)
	}
	if len(r.groups) == 4 && bytes.Count(body, []byte(".")) == 3 && address(t, r) {
		return true
	}
	if len(r.groups) == 2 { // a decimal, or a range of years or pages
		between := t[r.groups[0][1]:r.groups[1][0]]
		a, b := r.groups[0][1]-r.groups[0][0], r.groups[1][1]-r.groups[1][0]
		return len(between) == 1 && (between[0] == '.' || between[0] == '-' && a == b)
	}
	return false
}

// address reports whether four groups are an IPv4 address.
func address(t []byte, r run) bool {
	for _, g := range r.groups {
		if n, err := strconv.Atoi(string(t[g[0]:g[1]])); err != nil || n > 255 {
			return false
		}
	}
	return true
}

// labels are words in front of numbers, and what such words begin with.
var labels = map[string]bool{"tel": true, "phone": true, "phones": true, "phonenumber": true, "phoneno": true, "mobile": true, "mobil": true, "mobiltelefon": true, "mob": true, "cell": true, "cellphone": true,
	"handy": true, "handynummer": true, "telefon": true, "telefonnummer": true, "telefono": true, "téléphone": true, "teléfono": true, "telefoon": true, "telephone": true, "portable": true, "call": true, "called": true,
	"caller": true, "callee": true, "whatsapp": true, "sms": true, "fax": true, "msisdn": true, "móvil": true, "movil": true, "gsm": true, "rufnummer": true, "viber": true, "jid": true}

// general are words that say nothing without the one in front of them: phone number.
var general = map[string]bool{"number": true, "numbers": true, "no": true, "nr": true, "num": true, "nummer": true, "numero": true, "número": true}

// labeled reports whether a word in front of a number says that it is one.
func (w *window) labeled(start int) bool {
	before := w.text[max(0, start-96):start]
	if i := bytes.LastIndexAny(before, "\r\n"); i >= 0 {
		before = before[i+1:]
	}
	if isVCard(before) {
		return true
	}
	word, before := lastWord(before)
	for range 2 {
		for part := range strings.SplitSeq(word, "_") {
			if labels[part] {
				return true
			}
		}
		if !general[word] {
			return false
		}
		word, before = lastWord(before)
	}
	return false
}

// lastWord returns the last word of b in lower case, behind which at most eight signs
// stand, and what is before it.
func lastWord(b []byte) (string, []byte) {
	end := len(b)
	for end > 0 && len(b)-end <= 8 && b[end-1] < 0x80 && !isAlnum(b[end-1]) {
		end--
	}
	start := end
	for start > 0 && end-start < 32 && (is(b[start-1], isLetter) || b[start-1] == '_' || b[start-1] >= 0x80) {
		start--
	}
	if end == len(b) || start == end || start > 0 && is(b[start-1], isDigit) {
		return "", nil
	}
	return strings.ToLower(string(b[start:end])), b[:start]
}

// isVCard reports whether a line begins as that of a number in a vCard (RFC 6350, 6.4.1),
// in a group or not.
func isVCard(line []byte) bool {
	if i := bytes.IndexByte(line, '.'); i > 0 && i <= 16 {
		line = line[i+1:]
	}
	return len(line) > 3 && bytes.EqualFold(line[:3], []byte("tel")) && (line[3] == ';' || line[3] == ':')
}

// asked reports whether a number at i is what a link asks for: a chat or a call.
func (w *window) asked(i int, plus bool) bool {
	before := bytes.ToLower(w.text[max(0, i-24):i])
	for _, s := range []string{"wa.me/", "tel:", "callto:", "sms:", "send?phone=", "send/?phone="} {
		if bytes.HasSuffix(before, []byte(s)) {
			return true
		}
	}
	return plus && (bytes.HasSuffix(before, []byte("t.me/")) || bytes.HasSuffix(before, []byte("phone=")))
}

// inURL reports whether the place i is within a URL.
func (w *window) inURL(i int) bool {
	t := w.text
	k := i
	for k > 0 && i-k < most && (is(t[k-1], isURL) || t[k-1] >= 0x80) {
		k--
	}
	word := t[k:i]
	return bytes.Contains(word, []byte("://")) || bytes.HasPrefix(bytes.ToLower(word), []byte("www.")) || bytes.Contains(word, []byte("wa.me/")) || bytes.Contains(word, []byte("t.me/"))
}
