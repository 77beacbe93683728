//go:build !noasm

#include "textflag.h"

// func sift512(body *byte, spans *span, n int, out *uint32)
//
// A span is 16 bytes: at, n, query, quota, slot. There is no branch on what was loaded but
// the spans, so that many loads are under way at once.
TEXT ·sift512(SB), NOSPLIT, $0-32
	MOVQ body+0(FP), SI
	MOVQ spans+8(FP), DX
	MOVQ n+16(FP), CX
	MOVQ out+24(FP), DI

span:
	CMPQ CX, $16
	JLE near
	MOVL 256(DX), AX  // 16 spans ahead
	PREFETCHT0 (SI)(AX*2)

near:
	MOVL (DX), AX
	LEAQ (SI)(AX*2), R8
	MOVL 4(DX), R9
	VPBROADCASTW 8(DX), Z1
	VPBROADCASTW 10(DX), Z2

many:
	CMPQ R9, $32
	JLT few
	VMOVDQU16 (R8), Z0
	VPXORQ Z1, Z0, Z0
	VPOPCNTW Z0, Z0
	VPCMPUW $2, Z2, Z0, K1
	KMOVD K1, AX
	MOVL AX, (DI)
	ADDQ $4, DI
	ADDQ $64, R8
	SUBQ $32, R9
	JMP many

few:
	TESTQ R9, R9
	JZ next
	MOVL $-1, AX
	BZHIL R9, AX, AX
	KMOVD AX, K2
	VMOVDQU16.Z (R8), K2, Z0
	VPXORQ Z1, Z0, Z0
	VPOPCNTW Z0, Z0
	VPCMPUW $2, Z2, Z0, K2, K1
	KMOVD K1, AX
	MOVL AX, (DI)
	ADDQ $4, DI

next:
	ADDQ $16, DX
	DECQ CX
	JNZ span
	VZEROUPPER
	RET

// EIGHT compares 8 heads in Z0 and Z1 with a needle and writes their byte of a mask: bits
// 0, 4, 1, 5, 2, 6, 3, 7.
#define EIGHT(needle, to) \
	VPXORQ needle, Z0, Z2; \
	VPXORQ needle, Z1, Z3; \
	VPOPCNTQ Z2, Z2; \
	VPOPCNTQ Z3, Z3; \
	VPUNPCKLQDQ Z3, Z2, Z4; \
	VPUNPCKHQDQ Z3, Z2, Z5; \
	VPADDQ Z4, Z5, Z4; \
	VPCMPUQ $2, Z31, Z4, K1; \
	KMOVB K1, AX; \
	MOVB AX, to(DI)

// func compare1x512(heads *uint64, blocks int, needle *[2]uint64, radius int, out *uint64)
TEXT ·compare1x512(SB), NOSPLIT, $0-40
	MOVQ heads+0(FP), SI
	MOVQ blocks+8(FP), CX
	MOVQ needle+16(FP), DX
	VPBROADCASTQ radius+24(FP), Z31
	MOVQ out+32(FP), DI
	VBROADCASTI64X2 (DX), Z16

block1:
	MOVQ $8, R8

eight1:
	PREFETCHT0 4096(SI)
	PREFETCHT0 4160(SI)
	VMOVDQU64 (SI), Z0
	VMOVDQU64 64(SI), Z1
	EIGHT(Z16, 0)
	ADDQ $128, SI
	INCQ DI
	DECQ R8
	JNZ eight1
	ADDQ $56, DI
	DECQ CX
	JNZ block1
	VZEROUPPER
	RET

// func compare8x512(heads *uint64, blocks int, needles *[2]uint64, radius int, out *uint64)
TEXT ·compare8x512(SB), NOSPLIT, $0-40
	MOVQ heads+0(FP), SI
	MOVQ blocks+8(FP), CX
	MOVQ needles+16(FP), DX
	VPBROADCASTQ radius+24(FP), Z31
	MOVQ out+32(FP), DI
	VBROADCASTI64X2 (DX), Z16
	VBROADCASTI64X2 16(DX), Z17
	VBROADCASTI64X2 32(DX), Z18
	VBROADCASTI64X2 48(DX), Z19
	VBROADCASTI64X2 64(DX), Z20
	VBROADCASTI64X2 80(DX), Z21
	VBROADCASTI64X2 96(DX), Z22
	VBROADCASTI64X2 112(DX), Z23

block8:
	MOVQ $8, R8

eight8:
	VMOVDQU64 (SI), Z0
	VMOVDQU64 64(SI), Z1
	EIGHT(Z16, 0)
	EIGHT(Z17, 8)
	EIGHT(Z18, 16)
	EIGHT(Z19, 24)
	EIGHT(Z20, 32)
	EIGHT(Z21, 40)
	EIGHT(Z22, 48)
	EIGHT(Z23, 56)
	ADDQ $128, SI
	INCQ DI
	DECQ R8
	JNZ eight8
	ADDQ $56, DI
	DECQ CX
	JNZ block8
	VZEROUPPER
	RET
