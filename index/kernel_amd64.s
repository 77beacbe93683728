//go:build !noasm

#include "textflag.h"

// The sums are of whole numbers, the same in any order; what follows a sum is the same
// operations in the same order as in sieveGeneric, unfused. A param is 16 bytes: start,
// scale, slack, limit. $0x1A is "not greater, or not a number".

// FINISH16 turns 16 sums into a mask at an address.
#define FINISH16(sums, p, scales, biases, to) \
	VCVTDQ2PS sums, sums; \
	VMULPS.BCST (p+4)(DX), sums, sums; \
	VADDPS.BCST (p+8)(DX), sums, sums; \
	VMULPS scales, sums, sums; \
	VSUBPS sums, biases, sums; \
	VBROADCASTSS (p+12)(DX), Z24; \
	VCMPPS $0x1A, Z24, sums, K1; \
	KMOVW K1, AX; \
	MOVW AX, to(DI)

// func sieve1VNNI(codes *uint8, chunks, blocks int, scales, bias *float32, query *int8, params *param, out *uint64)
TEXT ·sieve1VNNI(SB), NOSPLIT, $0-64
	MOVQ codes+0(FP), SI
	MOVQ chunks+8(FP), CX
	MOVQ blocks+16(FP), R8
	MOVQ scales+24(FP), R9
	MOVQ bias+32(FP), R10
	MOVQ query+40(FP), BX
	MOVQ params+48(FP), DX
	MOVQ out+56(FP), DI

block1:
	VPBROADCASTD (DX), Z0
	VMOVDQA64 Z0, Z1
	VMOVDQA64 Z0, Z2
	VMOVDQA64 Z0, Z3
	MOVQ BX, R12
	MOVQ CX, AX

chunk1:
	PREFETCHT0 8192(SI)
	PREFETCHT0 8256(SI)
	PREFETCHT0 8320(SI)
	PREFETCHT0 8384(SI)
	VPBROADCASTD (R12), Z18
	VMOVDQU64 (SI), Z4
	VMOVDQU64 64(SI), Z5
	VMOVDQU64 128(SI), Z6
	VMOVDQU64 192(SI), Z7
	VPDPBUSD Z18, Z4, Z0
	VPDPBUSD Z18, Z5, Z1
	VPDPBUSD Z18, Z6, Z2
	VPDPBUSD Z18, Z7, Z3
	ADDQ $256, SI
	ADDQ $4, R12
	DECQ AX
	JNZ chunk1

	VMOVUPS (R9), Z20
	VMOVUPS (R10), Z22
	FINISH16(Z0, 0, Z20, Z22, 0)
	VMOVUPS 64(R9), Z20
	VMOVUPS 64(R10), Z22
	FINISH16(Z1, 0, Z20, Z22, 2)
	VMOVUPS 128(R9), Z20
	VMOVUPS 128(R10), Z22
	FINISH16(Z2, 0, Z20, Z22, 4)
	VMOVUPS 192(R9), Z20
	VMOVUPS 192(R10), Z22
	FINISH16(Z3, 0, Z20, Z22, 6)
	ADDQ $256, R9
	ADDQ $256, R10
	ADDQ $8, DI
	DECQ R8
	JNZ block1
	VZEROUPPER
	RET

#define START2(p, a, b) \
	VPBROADCASTD p(DX), a; \
	VMOVDQA64 a, b

#define STEP2(q, a, b) \
	VPBROADCASTD q(R12), Z18; \
	VPDPBUSD Z18, Z16, a; \
	VPDPBUSD Z18, Z17, b

// func sieve8VNNI(codes *uint8, chunks, blocks int, scales, bias *float32, queries *int8, params *param, out *uint64)
//
// Half a block, 32 rows, with eight queries at a time: 16 registers of sums.
TEXT ·sieve8VNNI(SB), NOSPLIT, $0-64
	MOVQ codes+0(FP), SI
	MOVQ chunks+8(FP), CX
	MOVQ blocks+16(FP), R8
	MOVQ scales+24(FP), R9
	MOVQ bias+32(FP), R10
	MOVQ queries+40(FP), BX
	MOVQ params+48(FP), DX
	MOVQ out+56(FP), DI
	XORQ R13, R13

half8:
	START2(0, Z0, Z1)
	START2(16, Z2, Z3)
	START2(32, Z4, Z5)
	START2(48, Z6, Z7)
	START2(64, Z8, Z9)
	START2(80, Z10, Z11)
	START2(96, Z12, Z13)
	START2(112, Z14, Z15)
	MOVQ SI, R11
	MOVQ BX, R12
	MOVQ CX, AX

chunk8:
	VMOVDQU64 (R11), Z16
	VMOVDQU64 64(R11), Z17
	STEP2(0, Z0, Z1)
	STEP2(4, Z2, Z3)
	STEP2(8, Z4, Z5)
	STEP2(12, Z6, Z7)
	STEP2(16, Z8, Z9)
	STEP2(20, Z10, Z11)
	STEP2(24, Z12, Z13)
	STEP2(28, Z14, Z15)
	ADDQ $256, R11
	ADDQ $32, R12
	DECQ AX
	JNZ chunk8

	VMOVUPS (R9), Z20
	VMOVUPS 64(R9), Z21
	VMOVUPS (R10), Z22
	VMOVUPS 64(R10), Z23
	FINISH16(Z0, 0, Z20, Z22, 0)
	FINISH16(Z1, 0, Z21, Z23, 2)
	FINISH16(Z2, 16, Z20, Z22, 8)
	FINISH16(Z3, 16, Z21, Z23, 10)
	FINISH16(Z4, 32, Z20, Z22, 16)
	FINISH16(Z5, 32, Z21, Z23, 18)
	FINISH16(Z6, 48, Z20, Z22, 24)
	FINISH16(Z7, 48, Z21, Z23, 26)
	FINISH16(Z8, 64, Z20, Z22, 32)
	FINISH16(Z9, 64, Z21, Z23, 34)
	FINISH16(Z10, 80, Z20, Z22, 40)
	FINISH16(Z11, 80, Z21, Z23, 42)
	FINISH16(Z12, 96, Z20, Z22, 48)
	FINISH16(Z13, 96, Z21, Z23, 50)
	FINISH16(Z14, 112, Z20, Z22, 56)
	FINISH16(Z15, 112, Z21, Z23, 58)
	ADDQ $128, R9
	ADDQ $128, R10
	XORQ $1, R13
	JZ second8
	ADDQ $128, SI
	ADDQ $4, DI
	JMP half8

second8:
	LEAQ -128(R11), SI
	ADDQ $60, DI
	DECQ R8
	JNZ half8
	VZEROUPPER
	RET

// FINISH8 turns 8 sums into a mask at an address.
#define FINISH8(sums, p, scales, biases, to) \
	VCVTDQ2PS sums, sums; \
	VBROADCASTSS (p+4)(DX), Y14; \
	VMULPS Y14, sums, sums; \
	VBROADCASTSS (p+8)(DX), Y14; \
	VADDPS Y14, sums, sums; \
	VMULPS scales, sums, sums; \
	VSUBPS sums, biases, sums; \
	VBROADCASTSS (p+12)(DX), Y14; \
	VCMPPS $0x1A, Y14, sums, sums; \
	VMOVMSKPS sums, AX; \
	MOVB AX, to(DI)

// SPLIT loads 8 rows of a chunk as two registers of 16-bit numbers: the first and third
// of each four, and the second and fourth. Y15 is 0x00FF in every 16 bits.
#define SPLIT(from, even, odd) \
	VMOVDQU from, odd; \
	VPAND Y15, odd, even; \
	VPSRLW $8, odd, odd

#define ADDPAIRS(even, odd, sums) \
	VPMADDWD Y12, even, even; \
	VPADDD even, sums, sums; \
	VPMADDWD Y13, odd, odd; \
	VPADDD odd, sums, sums

#define LOWBYTES \
	VPCMPEQW Y15, Y15, Y15; \
	VPSRLW $8, Y15, Y15

// func sieve1AVX2(codes *uint8, chunks, blocks int, scales, bias *float32, query *int16, params *param, out *uint64)
TEXT ·sieve1AVX2(SB), NOSPLIT, $0-64
	MOVQ codes+0(FP), SI
	MOVQ chunks+8(FP), CX
	MOVQ blocks+16(FP), R8
	MOVQ scales+24(FP), R9
	MOVQ bias+32(FP), R10
	MOVQ query+40(FP), BX
	MOVQ params+48(FP), DX
	MOVQ out+56(FP), DI
	SHLQ $1, R8
	XORQ R13, R13
	LOWBYTES

half1:
	VPBROADCASTD (DX), Y0
	VMOVDQA Y0, Y1
	VMOVDQA Y0, Y2
	VMOVDQA Y0, Y3
	MOVQ SI, R11
	MOVQ BX, R12
	MOVQ CX, AX

chunk1:
	VPBROADCASTD (R12), Y12
	VPBROADCASTD 4(R12), Y13
	SPLIT((R11), Y4, Y5)
	ADDPAIRS(Y4, Y5, Y0)
	SPLIT(32(R11), Y6, Y7)
	ADDPAIRS(Y6, Y7, Y1)
	SPLIT(64(R11), Y8, Y9)
	ADDPAIRS(Y8, Y9, Y2)
	SPLIT(96(R11), Y10, Y11)
	ADDPAIRS(Y10, Y11, Y3)
	ADDQ $256, R11
	ADDQ $8, R12
	DECQ AX
	JNZ chunk1

	VMOVUPS (R9), Y4
	VMOVUPS (R10), Y5
	FINISH8(Y0, 0, Y4, Y5, 0)
	VMOVUPS 32(R9), Y4
	VMOVUPS 32(R10), Y5
	FINISH8(Y1, 0, Y4, Y5, 1)
	VMOVUPS 64(R9), Y4
	VMOVUPS 64(R10), Y5
	FINISH8(Y2, 0, Y4, Y5, 2)
	VMOVUPS 96(R9), Y4
	VMOVUPS 96(R10), Y5
	FINISH8(Y3, 0, Y4, Y5, 3)
	ADDQ $128, R9
	ADDQ $128, R10
	ADDQ $4, DI
	ADDQ $128, SI
	XORQ $1, R13
	JNZ next1
	LEAQ -128(R11), SI

next1:
	DECQ R8
	JNZ half1
	VZEROUPPER
	RET

#define STEP8(q, sums) \
	VPBROADCASTD q(R12), Y12; \
	VPMADDWD Y12, Y8, Y10; \
	VPADDD Y10, sums, sums; \
	VPBROADCASTD (q+4)(R12), Y13; \
	VPMADDWD Y13, Y9, Y11; \
	VPADDD Y11, sums, sums

// func sieve8AVX2(codes *uint8, chunks, blocks int, scales, bias *float32, queries *int16, params *param, out *uint64)
//
// Eight rows with eight queries at a time.
TEXT ·sieve8AVX2(SB), NOSPLIT, $0-64
	MOVQ codes+0(FP), SI
	MOVQ chunks+8(FP), CX
	MOVQ blocks+16(FP), R8
	MOVQ scales+24(FP), R9
	MOVQ bias+32(FP), R10
	MOVQ queries+40(FP), BX
	MOVQ params+48(FP), DX
	MOVQ out+56(FP), DI
	MOVQ $8, R13
	LOWBYTES

rows8:
	VPBROADCASTD 0(DX), Y0
	VPBROADCASTD 16(DX), Y1
	VPBROADCASTD 32(DX), Y2
	VPBROADCASTD 48(DX), Y3
	VPBROADCASTD 64(DX), Y4
	VPBROADCASTD 80(DX), Y5
	VPBROADCASTD 96(DX), Y6
	VPBROADCASTD 112(DX), Y7
	MOVQ SI, R11
	MOVQ BX, R12
	MOVQ CX, AX

chunk8:
	SPLIT((R11), Y8, Y9)
	STEP8(0, Y0)
	STEP8(8, Y1)
	STEP8(16, Y2)
	STEP8(24, Y3)
	STEP8(32, Y4)
	STEP8(40, Y5)
	STEP8(48, Y6)
	STEP8(56, Y7)
	ADDQ $256, R11
	ADDQ $64, R12
	DECQ AX
	JNZ chunk8

	VMOVUPS (R9), Y8
	VMOVUPS (R10), Y9
	FINISH8(Y0, 0, Y8, Y9, 0)
	FINISH8(Y1, 16, Y8, Y9, 8)
	FINISH8(Y2, 32, Y8, Y9, 16)
	FINISH8(Y3, 48, Y8, Y9, 24)
	FINISH8(Y4, 64, Y8, Y9, 32)
	FINISH8(Y5, 80, Y8, Y9, 40)
	FINISH8(Y6, 96, Y8, Y9, 48)
	FINISH8(Y7, 112, Y8, Y9, 56)
	ADDQ $32, R9
	ADDQ $32, R10
	ADDQ $32, SI
	INCQ DI
	DECQ R13
	JNZ rows8

	LEAQ -224(R11), SI
	ADDQ $56, DI
	MOVQ $8, R13
	DECQ R8
	JNZ rows8
	VZEROUPPER
	RET
