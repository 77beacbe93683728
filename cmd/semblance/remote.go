package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"semblance"
)

// While `semblance serve` owns the data folder, other commands reach it through
// the socket in that folder: the client sends its arguments, its working
// directory and its three standard streams, the server runs the command with its
// own Engine and answers with the exit code. So the command line and the API
// always go through one Engine, and every command works the same either way.
//
// The folder has mode 0700 and the socket 0600; the server checks the peer's user
// as well. Only the user who runs the service, and root, get through.

// socketName is the socket in the data folder.
const socketName = "semblance.sock"

// A remoteRun is what a client sends, as one line of JSON with the descriptors
// of its streams.
type remoteRun struct {
	Args    []string `json:"args"`
	Cwd     string   `json:"cwd"`
	Actor   string   `json:"actor"`
	Environ []string `json:"environ"` // SEMBLANCE_* only
}

// A remoteEnd is the answer.
type remoteEnd struct {
	Exit  int    `json:"exit"`
	Error string `json:"error,omitempty"` // why the command was not run at all
}

// maxRemoteRun bounds a request: the longest command line Linux allows is 2 MiB.
const maxRemoteRun = 4 << 20

// runRemotely hands the command to the server of the data folder. ran is false
// when there is none.
func runRemotely(ctx context.Context, e *env) (code int, ran bool, err error) {
	conn, err := dialServer(filepath.Join(e.cfg.Data, socketName))
	if conn == nil || err != nil {
		return 0, false, err
	}
	defer conn.Close()
	req := remoteRun{Args: e.args, Cwd: e.cwd, Actor: e.actor}
	for _, kv := range e.environ {
		if strings.HasPrefix(kv, "SEMBLANCE_") {
			req.Environ = append(req.Environ, kv)
		}
	}
	b, err := json.Marshal(req)
	if err != nil {
		return 0, true, err
	}
	rights := unix.UnixRights(int(e.in.Fd()), int(e.out.Fd()), int(e.err.Fd()))
	_, _, sent := conn.WriteMsgUnix([]byte{'{'}, rights, nil)
	if sent == nil {
		_, sent = conn.Write(append(b[1:], '\n'))
	} // a server that refuses has answered already
	stop := context.AfterFunc(ctx, func() { _ = conn.CloseWrite() }) // the server sees the end and cancels
	defer stop()
	var end remoteEnd
	if err := json.NewDecoder(conn).Decode(&end); err != nil {
		if ctx.Err() != nil {
			return exitInterrupted, true, nil
		}
		return 0, true, semblance.Errorf(semblance.Unavailable, "the server of this data folder stopped while it ran the command").
			WithHint("What was done is kept. Run the command again.").WithCause(errors.Join(sent, err))
	}
	if end.Error != "" {
		return 0, true, semblance.Errorf(semblance.Forbidden, "the server of this data folder refused the command: %s", end.Error).
			WithHint("Run it as the user who runs the server.")
	}
	return end.Exit, true, nil
}

// dialServer connects to a socket; nil without an error when no server listens.
func dialServer(path string) (*net.UnixConn, error) {
	conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: path, Net: "unix"})
	switch {
	case err == nil:
		return conn, nil
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.ENOTDIR):
		return nil, nil // none, or one that died and left its socket
	case errors.Is(err, fs.ErrPermission):
		return nil, semblance.Errorf(semblance.Forbidden, "this user may not use the data folder").
			WithHint("Run the command as the user who owns it, or name another folder with --data.").WithCause(err)
	}
	return nil, fmt.Errorf("reach the server of the data folder: %w", err)
}

// listenSocket opens the server's socket.
func listenSocket(data string) (*net.UnixListener, error) {
	path := filepath.Join(data, socketName)
	// This process holds the folder's lock, so a socket that is there is a dead one's.
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, semblance.Errorf(semblance.Unavailable, "the socket for commands cannot be made in the data folder").
			WithHint("Its path must be under 108 bytes and on a local file system; choose a shorter --data.").WithCause(err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		l.Close()
		return nil, err
	}
	return l, nil
}

// serveCommands runs the commands that clients send, until the listener closes.
func serveCommands(ctx context.Context, l *net.UnixListener, p *program) {
	for {
		conn, err := l.AcceptUnix()
		if err != nil {
			return
		}
		p.clients.Go(func() {
			defer conn.Close()
			stop := context.AfterFunc(ctx, func() { _ = conn.CloseRead() }) // one that says nothing holds nobody up
			defer stop()
			end, err := serveCommand(ctx, conn, p)
			if err != nil {
				end = remoteEnd{Exit: exitFailed, Error: err.Error()}
			}
			_ = json.NewEncoder(conn).Encode(end) // a client that left needs no answer
		})
	}
}

func serveCommand(ctx context.Context, conn *net.UnixConn, p *program) (remoteEnd, error) {
	if err := samePerson(conn); err != nil {
		return remoteEnd{}, err
	}
	req, files, err := receiveRun(conn)
	for _, f := range files {
		defer f.Close()
	}
	if err != nil {
		return remoteEnd{}, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() { // the client says nothing more; the end of its side is an interrupt
		_, _ = conn.Read(make([]byte, 1))
		cancel()
	}()
	s := streams{in: files[0], out: files[1], err: files[2], cwd: req.Cwd, actor: req.Actor, environ: req.Environ}
	return remoteEnd{Exit: runWith(ctx, req.Args, s, p)}, nil
}

// receiveRun reads a request and the three descriptors that come with its first
// byte.
func receiveRun(conn *net.UnixConn) (req remoteRun, files []*os.File, err error) {
	buf, oob := make([]byte, 1), make([]byte, unix.CmsgSpace(3*4))
	n, oobn, _, _, err := conn.ReadMsgUnix(buf, oob)
	if err != nil || n != 1 {
		return req, nil, errors.Join(err, errors.New("no request"))
	}
	msgs, err := unix.ParseSocketControlMessage(oob[:oobn])
	if err != nil {
		return req, nil, err
	}
	for _, m := range msgs {
		fds, err := unix.ParseUnixRights(&m)
		if err != nil {
			return req, files, err
		}
		for _, fd := range fds {
			unix.CloseOnExec(fd)
			files = append(files, os.NewFile(uintptr(fd), "client"))
		}
	}
	if len(files) != 3 {
		return req, files, errors.New("three descriptors are needed")
	}
	line, err := bufio.NewReaderSize(&limited{conn, maxRemoteRun}, 64<<10).ReadBytes('\n')
	if err != nil {
		return req, files, err
	}
	if err := json.Unmarshal(slices.Concat(buf, line), &req); err != nil {
		return req, files, err
	}
	if !filepath.IsAbs(req.Cwd) {
		return req, files, errors.New("the working directory is not absolute")
	}
	return req, files, nil
}

// limited reads at most left bytes.
type limited struct {
	conn *net.UnixConn
	left int
}

func (l *limited) Read(p []byte) (int, error) {
	if l.left <= 0 {
		return 0, errors.New("the request is too long")
	}
	n, err := l.conn.Read(p[:min(len(p), l.left)])
	l.left -= n
	return n, err
}
