package worker

import (
	"semblance"
	"semblance/hashing"
	"semblance/worker/cage"
)

// protocolVersion is raised with every change, so that programs of two releases
// refuse each other instead of misunderstanding.
const protocolVersion = 13

// The parent writes a request, the child answers with one reply; then the next.
// Each is a frame: four bytes of length, big endian, and that many bytes of
// JSON. The pixels of an analysis follow its frame. A request to analyze carries a descriptor with its first byte.
type request struct {
	Hello   *Hello                    `json:"hello,omitempty"`
	Analyze *semblance.AnalyzeRequest `json:"analyze,omitempty"`
	Long    bool                      `json:"long,omitempty"` // with Analyze: the file is a video, and gets a video's time
	Check   semblance.EngineName      `json:"check,omitempty"`
	Probe   *cage.Targets             `json:"probe,omitempty"`

	// A container is opened by one Part for each of its files, each with a descriptor and
	// without an answer, then Open. After that come Next, Read and Close, in any order.
	Part  *semblance.ContainerPart    `json:"part,omitempty"`
	Open  *semblance.ContainerOptions `json:"open,omitempty"`
	Next  bool                        `json:"next,omitempty"`
	Read  bool                        `json:"read,omitempty"` // of the entry that Next gave last
	Close bool                        `json:"close,omitempty"`
}

// A Hello is the first request: all that a child needs before its cage closes.
type Hello struct {
	Version int                      `json:"version"`
	Models  map[string]Model         `json:"models,omitempty"`
	Engines []semblance.EngineBundle `json:"engines,omitempty"`
	Threads int                      `json:"threads"`
	Memory  int64                    `json:"memory"` // bytes of data
}

type reply struct {
	Facts    *Facts              `json:"facts,omitempty"`
	Analysis *semblance.Analysis `json:"analysis,omitempty"`
	Engine   *EngineCheck        `json:"engine,omitempty"`
	Findings []cage.Finding      `json:"findings,omitempty"`
	Error    *remoteError        `json:"error,omitempty"`
	// Video answers a request to analyze a file that turns out to be a video: the parent
	// asks again with Long, on a video's terms. So a picture can never take a video's time.
	Video bool `json:"video,omitempty"`
	// Plain comes with an answer to a request with a name: the file is no picture or video,
	// and no container either.
	Plain bool `json:"plain,omitempty"`

	// Working may come any number of times before the answer to Open, Next and Read: the
	// child is at work and not hanging.
	Working *working `json:"working,omitempty"`
	// Container answers Open, Next and, after the content, Read; nothing in it answers
	// Close, and an Open of what is no container.
	Container *containerReply `json:"container,omitempty"`
}

// A working says how far long work is.
type working struct {
	Done  int64 `json:"done"`
	Total int64 `json:"total"`
}

type containerReply struct {
	Facts *semblance.ContainerFacts `json:"facts,omitempty"` // when it has been opened, and at its end
	Entry *semblance.Entry          `json:"entry,omitempty"`
	End   bool                      `json:"end,omitempty"` // after the last entry
}

// Facts are what a child says of itself when it starts.
type Facts struct {
	Version   int               `json:"version"` // of the protocol
	Program   string            `json:"program"` // version of the build
	CPU       string            `json:"cpu"`     // class of the processor: results are equal on processors of one class
	Libraries map[string]string `json:"libraries,omitempty"`
	Build     map[string]string `json:"build,omitempty"` // flags that decide about instructions and code
	Cage      cage.Applied      `json:"cage"`
}

// An EngineCheck is what opening an engine in a child gave.
type EngineCheck struct {
	Models map[string]string `json:"models,omitempty"` // name to sha256, as loaded
	Millis float64           `json:"millis"`           // to open it and look at one frame
}

// A remoteError is a semblance.Error on its way to the parent. Cause is text: the
// parent logs it and shows it to nobody.
type remoteError struct {
	Code  semblance.Code `json:"code"`
	Msg   string         `json:"msg"`
	Hint  string         `json:"hint,omitempty"`
	Cause string         `json:"cause,omitempty"`
}

// The largest frames. A child that claims more is not one of ours.
const (
	maxRequest = 1 << 20
	maxReply   = 64 << 20
)

// replyBudget is the most that an honest answer to req can need.
func replyBudget(req *semblance.AnalyzeRequest) budget {
	b := budget{bytes: 256 << 10, objects: 512 + 16*req.Limits.Frames, values: 8192 + 64*req.Limits.Frames}
	if req.Thumbnail > 0 {
		b.bytes += base64Size(maxPicture)
	}
	faces := req.Limits.Faces * req.Limits.Frames * len(Engines(req))
	if len(req.Videos) > 0 {
		faces = max(faces, req.Limits.VideoFaces*len(Engines(req)))
		b.bytes += base64Size(maxSheet)
		b.objects += maxTags + maxAudios + 4
		b.values += 3*maxTags + 12*maxAudios + maxSheetCells
	}
	b.objects += faces * 17          // a face, its box, its points, its appearance
	b.values += faces * (1024 + 128) // the longest embedding, and the rest of a face
	b.bytes += faces * (16 << 10)
	for _, a := range req.Videos {
		b.objects++
		b.values += 4
		if a.IsVPDQ() {
			b.bytes += base64Size(64 + 48*req.Limits.VideoFrames)
		} else {
			b.bytes += base64Size(hashing.TMKSize)
		}
	}
	if req.Crops {
		b.bytes += faces * base64Size(maxCrop)
	}
	if req.Selectors != nil {
		b.objects += semblance.MostSelectors + 2
		b.values += 8 * semblance.MostSelectors
		b.bytes += maxSelectorBytes
	}
	b.objects += req.Limits.Frames // pictures
	b.bytes = min(b.bytes, maxReply)
	b.side, b.frames = req.Pictures, req.Limits.Frames
	return b
}

func base64Size(n int) int { return n/3*4 + 4 }

// A budget bounds what the parent allocates for an answer before it has looked
// at it: three bytes of JSON can become a struct of two hundred.
type budget struct {
	bytes   int
	objects int // opening braces and brackets
	values  int // commas
	side    int // longest side of frames that are given back as pixels
	frames  int // that are given back
}
