package containers

import (
	"encoding/hex"
	"hash/crc32"
	"os"
	"testing"

	"semblance"
)

// Both documents were encrypted by msoffcrypto-tool, or with the key it makes; the
// password is "secret ß".
const (
	standardInfo    = "03000200240000002400000024000000000000000e66000004800000800000001800000000000000000000005800000010000000000102030405060708090a0b0c0d0e0f2e87abbad45be61fa8fb462f70ca9cb914000000bd5722ca29e0c65d4096c253a019557dcb5ba0518c2ac28c9309e3c2b41c51b1"
	standardPackage = "14000000000000001421ffbffc669df9a9246de4668a7077f5638bc20f9633f224993cad55cddb03"
)

func TestOfficeEncrypted(t *testing.T) {
	t.Parallel()
	agile, err := os.ReadFile("testdata/agile.docx")
	if err != nil {
		t.Fatal(err)
	}
	info, _ := hex.DecodeString(standardInfo)
	pack, _ := hex.DecodeString(standardPackage)
	standard := oleOf(map[string]string{"EncryptionInfo": string(info), "EncryptedPackage": string(pack)})
	var o Options
	o.Passwords = []string{"wrong", "secret ß"}
	all, facts, err := list(t, "x.docx", agile, o)
	if err != nil || facts.Password != 2 || len(all) != 1 || string(all[0].Name) != "document.zip" || crc32.ChecksumIEEE([]byte(all[0].content)) != 0xe8d87289 {
		t.Errorf("agile: %+v %v %q", facts, err, names(all))
	}
	all, facts, err = list(t, "x.xlsx", standard, o)
	if err != nil || facts.Password != 2 || len(all) != 1 || all[0].content != "PK\x03\x04 the package...." {
		t.Errorf("standard: %+v %v %+v", facts, err, all)
	}
	o.Passwords = o.Passwords[:1]
	for _, file := range [][]byte{agile, standard, oleOf(map[string]string{"EncryptionInfo": "x", "EncryptedPackage": string(pack)})} {
		if _, _, err := list(t, "x", file, o); code(t, err) != semblance.MediaEncrypted {
			t.Error(err)
		}
	}
}
