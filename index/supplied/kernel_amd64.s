//go:build !noasm

#include "textflag.h"

// All of it is in whole numbers that cannot overflow, and so the same as plain Go: a step
// is at most 127, two squares of it fit 15 bits, and a bound is at most 16·127².

// CHUNK adds the squared steps of eight rows, four bytes of each, to a register of eight
// sums.
#define CHUNK(at, query, sums) \
	VMOVDQU at(SI), Y12; \
	VPSUBUSB query, Y12, Y13; \
	VPSUBUSB Y12, query, Y14; \
	VPOR Y14, Y13, Y13; \
	VPSUBUSB Y10, Y13, Y13; \
	VPMINUB Y11, Y13, Y13; \
	VPMADDUBSW Y13, Y13, Y13; \
	VPMADDWD Y9, Y13, Y13; \
	VPADDD Y13, sums, sums

// EIGHT makes a mask of eight rows of a block in AX: those that are not above the limit.
#define EIGHT(at) \
	VPXOR Y0, Y0, Y0; \
	CHUNK(at, Y4, Y0); \
	CHUNK(at+256, Y5, Y0); \
	CHUNK(at+512, Y6, Y0); \
	CHUNK(at+768, Y7, Y0); \
	VPCMPGTD Y8, Y0, Y0; \
	VMOVMSKPS Y0, AX; \
	XORL $255, AX

// func sieveAVX2(sketches *byte, blocks int, query *[16]byte, limit uint32, out *uint64)
TEXT ·sieveAVX2(SB), NOSPLIT, $0-40
	MOVQ sketches+0(FP), SI
	MOVQ blocks+8(FP), CX
	MOVQ query+16(FP), BX
	MOVL limit+24(FP), AX
	MOVQ out+32(FP), DI
	VPBROADCASTD (BX), Y4
	VPBROADCASTD 4(BX), Y5
	VPBROADCASTD 8(BX), Y6
	VPBROADCASTD 12(BX), Y7
	MOVQ AX, X8
	VPBROADCASTD X8, Y8
	MOVL $0x00010001, AX
	MOVQ AX, X9
	VPBROADCASTD X9, Y9
	MOVL $0x01010101, AX
	MOVQ AX, X10
	VPBROADCASTD X10, Y10
	MOVL $0x7f7f7f7f, AX
	MOVQ AX, X11
	VPBROADCASTD X11, Y11

block:
	EIGHT(0)
	MOVB AX, 0(DI)
	EIGHT(32)
	MOVB AX, 1(DI)
	EIGHT(64)
	MOVB AX, 2(DI)
	EIGHT(96)
	MOVB AX, 3(DI)
	EIGHT(128)
	MOVB AX, 4(DI)
	EIGHT(160)
	MOVB AX, 5(DI)
	EIGHT(192)
	MOVB AX, 6(DI)
	EIGHT(224)
	MOVB AX, 7(DI)
	ADDQ $1024, SI
	ADDQ $8, DI
	DECQ CX
	JNZ block
	VZEROUPPER
	RET

// func squaredAVX2(values *byte, steps int, rows *int32, n int, query *byte, out *int32)
//
// The rows are few among many and their values are mostly not in a cache: those of eight
// rows later are asked for while a row is computed.
TEXT ·squaredAVX2(SB), NOSPLIT, $0-48
	MOVQ values+0(FP), R8
	MOVQ steps+8(FP), R9
	MOVQ rows+16(FP), R10
	MOVQ n+24(FP), R11
	MOVQ query+32(FP), R12
	MOVQ out+40(FP), R13
	MOVQ R9, R14
	SHLQ $4, R14

row:
	MOVLQSX 32(R10), AX
	IMULQ R14, AX
	ADDQ R8, AX
	PREFETCHT0 (AX)
	PREFETCHT0 64(AX)
	PREFETCHT0 128(AX)
	MOVLQSX (R10), SI
	IMULQ R14, SI
	ADDQ R8, SI
	MOVQ R12, DI
	MOVQ R9, CX
	VPXOR Y0, Y0, Y0

step:
	VPMOVZXBW (SI), Y1
	VPMOVZXBW (DI), Y2
	VPSUBW Y2, Y1, Y1
	VPMADDWD Y1, Y1, Y1
	VPADDD Y1, Y0, Y0
	ADDQ $16, SI
	ADDQ $16, DI
	DECQ CX
	JNZ step

	VEXTRACTI128 $1, Y0, X1
	VPADDD X1, X0, X0
	VPSHUFD $0x4e, X0, X1
	VPADDD X1, X0, X0
	VPSHUFD $0xb1, X0, X1
	VPADDD X1, X0, X0
	VMOVD X0, (R13)
	ADDQ $4, R10
	ADDQ $4, R13
	DECQ R11
	JNZ row
	VZEROUPPER
	RET
