//go:build !noasm

#include "textflag.h"

// TRANSPOSE turns rows Y0 to Y7 into columns Y6, Y2, Y3, Y5, Y7, Y8, Y1, Y0.
#define TRANSPOSE \
	VUNPCKLPS Y1, Y0, Y8; \
	VUNPCKHPS Y1, Y0, Y0; \
	VUNPCKLPS Y3, Y2, Y1; \
	VUNPCKHPS Y3, Y2, Y2; \
	VUNPCKLPS Y5, Y4, Y3; \
	VUNPCKHPS Y5, Y4, Y4; \
	VUNPCKLPS Y7, Y6, Y5; \
	VUNPCKHPS Y7, Y6, Y6; \
	VSHUFPS $0x44, Y1, Y8, Y7; \
	VSHUFPS $0xEE, Y1, Y8, Y8; \
	VSHUFPS $0x44, Y2, Y0, Y1; \
	VSHUFPS $0xEE, Y2, Y0, Y0; \
	VSHUFPS $0x44, Y5, Y3, Y2; \
	VSHUFPS $0xEE, Y5, Y3, Y3; \
	VSHUFPS $0x44, Y6, Y4, Y5; \
	VSHUFPS $0xEE, Y6, Y4, Y4; \
	VPERM2F128 $0x20, Y2, Y7, Y6; \
	VPERM2F128 $0x31, Y2, Y7, Y7; \
	VPERM2F128 $0x20, Y3, Y8, Y2; \
	VPERM2F128 $0x31, Y3, Y8, Y8; \
	VPERM2F128 $0x20, Y5, Y1, Y3; \
	VPERM2F128 $0x31, Y5, Y1, Y1; \
	VPERM2F128 $0x20, Y4, Y0, Y5; \
	VPERM2F128 $0x31, Y4, Y0, Y0

// OCTS writes eight octs as TRANSPOSE leaves them.
#define OCTS(to) \
	VMOVUPS Y6, 0(to); \
	VMOVUPS Y2, 32(to); \
	VMOVUPS Y3, 64(to); \
	VMOVUPS Y5, 96(to); \
	VMOVUPS Y7, 128(to); \
	VMOVUPS Y8, 160(to); \
	VMOVUPS Y1, 192(to); \
	VMOVUPS Y0, 224(to)

// STEP adds one oct to the sum in Y9, subtracts one and keeps the mean.
#define STEP(at, mean) \
	VADDPS at(SI), Y9, Y9; \
	VSUBPS at(DX), Y9, Y9; \
	VDIVPS Y10, Y9, mean

// func boxAlongAVX2(enter, leave *oct, n int, size float32, sum *oct, out *[8]*float32)
TEXT ·boxAlongAVX2(SB), NOSPLIT, $0-48
	MOVQ enter+0(FP), SI
	MOVQ leave+8(FP), DX
	MOVQ n+16(FP), CX
	VBROADCASTSS size+24(FP), Y10
	MOVQ sum+32(FP), AX
	VMOVUPS (AX), Y9
	MOVQ out+40(FP), BX
	MOVQ 0(BX), R8
	MOVQ 8(BX), R9
	MOVQ 16(BX), R10
	MOVQ 24(BX), R11
	MOVQ 32(BX), R12
	MOVQ 40(BX), R13
	MOVQ 48(BX), AX
	MOVQ 56(BX), BX
	XORQ DI, DI

along:
	STEP(0, Y0)
	STEP(32, Y1)
	STEP(64, Y2)
	STEP(96, Y3)
	STEP(128, Y4)
	STEP(160, Y5)
	STEP(192, Y6)
	STEP(224, Y7)
	TRANSPOSE
	VMOVUPS Y6, (R8)(DI*4)
	VMOVUPS Y2, (R9)(DI*4)
	VMOVUPS Y3, (R10)(DI*4)
	VMOVUPS Y5, (R11)(DI*4)
	VMOVUPS Y7, (R12)(DI*4)
	VMOVUPS Y8, (R13)(DI*4)
	VMOVUPS Y1, (AX)(DI*4)
	VMOVUPS Y0, (BX)(DI*4)
	ADDQ $256, SI
	ADDQ $256, DX
	ADDQ $8, DI
	CMPQ DI, CX
	JLT along
	MOVQ sum+32(FP), AX
	VMOVUPS Y9, (AX)
	VZEROUPPER
	RET

// func slideAVX2(sum, enter, leave *oct, n int)
TEXT ·slideAVX2(SB), NOSPLIT, $0-32
	MOVQ sum+0(FP), AX
	MOVQ enter+8(FP), SI
	MOVQ leave+16(FP), DX
	MOVQ n+24(FP), CX
	VMOVUPS (AX), Y9

step:
	VADDPS (SI), Y9, Y9
	VSUBPS (DX), Y9, Y9
	ADDQ $32, SI
	ADDQ $32, DX
	DECQ CX
	JNZ step
	VMOVUPS Y9, (AX)
	VZEROUPPER
	RET

// DOWN is STEP with rows k whose addresses lie in the lists at R9 and R10, eight
// columns from DI on.
#define DOWN(k, mean) \
	MOVQ k(R9), AX; \
	MOVQ k(R10), BX; \
	VADDPS (AX)(DI*4), Y9, Y9; \
	VSUBPS (BX)(DI*4), Y9, Y9; \
	VDIVPS Y10, Y9, mean

// func boxDownAVX2(out *oct, sum *float32, n int, size float32, enter, leave *[8]*float32)
TEXT ·boxDownAVX2(SB), NOSPLIT, $0-48
	MOVQ out+0(FP), DX
	MOVQ sum+8(FP), SI
	MOVQ n+16(FP), CX
	VBROADCASTSS size+24(FP), Y10
	MOVQ enter+32(FP), R9
	MOVQ leave+40(FP), R10
	XORQ DI, DI

down:
	VMOVUPS (SI)(DI*4), Y9
	DOWN(0, Y0)
	DOWN(8, Y1)
	DOWN(16, Y2)
	DOWN(24, Y3)
	DOWN(32, Y4)
	DOWN(40, Y5)
	DOWN(48, Y6)
	DOWN(56, Y7)
	VMOVUPS Y9, (SI)(DI*4)
	TRANSPOSE
	OCTS(DX)
	ADDQ $256, DX
	ADDQ $8, DI
	CMPQ DI, CX
	JLT down
	VZEROUPPER
	RET

// The bytes of one channel of eight pixels as 32-bit numbers: the lower half of the
// register holds bytes 0 to 15 of the 24, the upper one bytes 8 to 23.
DATA channel<>+0(SB)/8, $0xffffff03ffffff00
DATA channel<>+8(SB)/8, $0xffffff09ffffff06
DATA channel<>+16(SB)/8, $0xffffff07ffffff04
DATA channel<>+24(SB)/8, $0xffffff0dffffff0a
DATA channel<>+32(SB)/8, $0xffffff04ffffff01
DATA channel<>+40(SB)/8, $0xffffff0affffff07
DATA channel<>+48(SB)/8, $0xffffff08ffffff05
DATA channel<>+56(SB)/8, $0xffffff0effffff0b
DATA channel<>+64(SB)/8, $0xffffff05ffffff02
DATA channel<>+72(SB)/8, $0xffffff0bffffff08
DATA channel<>+80(SB)/8, $0xffffff09ffffff06
DATA channel<>+88(SB)/8, $0xffffff0fffffff0c
GLOBL channel<>(SB), RODATA|NOPTR, $96

// 0.299, 0.587 and 0.114 as float32.
DATA weights<>+0(SB)/4, $0x3e991687
DATA weights<>+4(SB)/4, $0x3f1645a2
DATA weights<>+8(SB)/4, $0x3de978d5
GLOBL weights<>(SB), RODATA|NOPTR, $12

// LUMA makes the luma of eight pixels of row k.
#define LUMA(k, to) \
	MOVQ k(R9), AX; \
	VMOVDQU (AX)(DI*1), X8; \
	VINSERTI128 $1, 8(AX)(DI*1), Y8, Y8; \
	VPSHUFB Y10, Y8, Y9; \
	VCVTDQ2PS Y9, Y9; \
	VMULPS Y13, Y9, to; \
	VPSHUFB Y11, Y8, Y9; \
	VCVTDQ2PS Y9, Y9; \
	VMULPS Y14, Y9, Y9; \
	VADDPS Y9, to, to; \
	VPSHUFB Y12, Y8, Y9; \
	VCVTDQ2PS Y9, Y9; \
	VMULPS Y15, Y9, Y9; \
	VADDPS Y9, to, to

// func lumaRowsAVX2(dst *oct, rows *[8]*byte, n int)
TEXT ·lumaRowsAVX2(SB), NOSPLIT, $0-24
	MOVQ dst+0(FP), DX
	MOVQ rows+8(FP), R9
	MOVQ n+16(FP), CX
	VMOVDQU channel<>+0(SB), Y10
	VMOVDQU channel<>+32(SB), Y11
	VMOVDQU channel<>+64(SB), Y12
	VBROADCASTSS weights<>+0(SB), Y13
	VBROADCASTSS weights<>+4(SB), Y14
	VBROADCASTSS weights<>+8(SB), Y15
	XORQ DI, DI

luma:
	LUMA(0, Y0)
	LUMA(8, Y1)
	LUMA(16, Y2)
	LUMA(24, Y3)
	LUMA(32, Y4)
	LUMA(40, Y5)
	LUMA(48, Y6)
	LUMA(56, Y7)
	TRANSPOSE
	OCTS(DX)
	ADDQ $256, DX
	ADDQ $24, DI
	SUBQ $8, CX
	JNZ luma
	VZEROUPPER
	RET
