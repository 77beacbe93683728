//go:build !noasm

#include "textflag.h"

// SIXTEEN compares the members in Z0 with a row in Z1 and sets bits of K1: Z3 has the bits
// that are compared, and above them a member says in how many it may differ.
#define SIXTEEN \
	VPXORD Z1, Z0, Z2; \
	VPANDD Z3, Z2, Z2; \
	VPOPCNTD Z2, Z2; \
	VPSRLD $24, Z0, Z0; \
	VPCMPUD $2, Z0, Z2, K1

// REST is SIXTEEN for the R9 members at R8, fewer than 16, and leaves the bits in AX.
#define REST \
	MOVL $1, AX; \
	SHLXL R9, AX, AX; \
	DECL AX; \
	KMOVW AX, K2; \
	VMOVDQU32.Z (R8), K2, Z0; \
	SIXTEEN; \
	KANDW K2, K1, K1; \
	KMOVW K1, AX

// func sieve512(members *uint32, spans *span, n int, out *uint32)
//
// A span is 16 bytes: at, n, behind, number. There is no branch on what was loaded but the
// spans, so that many loads are under way at once.
TEXT ·sieve512(SB), NOSPLIT, $0-32
	MOVQ members+0(FP), SI
	MOVQ spans+8(FP), DX
	MOVQ n+16(FP), CX
	MOVQ out+24(FP), DI
	MOVL $0xffffff, AX
	VPBROADCASTD AX, Z3

span:
	CMPQ CX, $16
	JLE near
	MOVL 256(DX), AX // 16 spans ahead
	PREFETCHT0 (SI)(AX*4)

near:
	MOVL (DX), AX
	LEAQ (SI)(AX*4), R8
	MOVL 4(DX), R9
	VPBROADCASTD 8(DX), Z1

many:
	CMPQ R9, $32
	JLT few
	VMOVDQU32 (R8), Z0
	SIXTEEN
	KMOVW K1, AX
	MOVW AX, (DI)
	VMOVDQU32 64(R8), Z0
	SIXTEEN
	KMOVW K1, AX
	MOVW AX, 2(DI)
	ADDQ $4, DI
	ADDQ $128, R8
	SUBQ $32, R9
	JMP many

few:
	TESTQ R9, R9
	JZ next
	MOVL $0, (DI)
	CMPQ R9, $16
	JLT last
	VMOVDQU32 (R8), Z0
	SIXTEEN
	KMOVW K1, AX
	MOVW AX, (DI)
	ADDQ $64, R8
	SUBQ $16, R9
	JZ done
	REST
	MOVW AX, 2(DI)
	JMP done

last:
	REST
	MOVW AX, (DI)

done:
	ADDQ $4, DI

next:
	ADDQ $16, DX
	DECQ CX
	JNZ span
	VZEROUPPER
	RET
