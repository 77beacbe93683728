//go:build !noasm

#include "textflag.h"

// func dotsAVX2(rows *int8, stride, n int, query *int16, out *int32)
//
// Integers only: the sums are the same in any order. Two accumulators of eight.
TEXT ·dotsAVX2(SB), NOSPLIT, $0-40
	MOVQ rows+0(FP), SI
	MOVQ stride+8(FP), DX
	MOVQ n+16(FP), CX
	MOVQ query+24(FP), BX
	MOVQ out+32(FP), DI

row:
	TESTQ CX, CX
	JZ    done
	VPXOR Y0, Y0, Y0
	VPXOR Y1, Y1, Y1
	XORQ  AX, AX

chunk:
	VPMOVSXBW (SI)(AX*1), Y2
	VPMADDWD  (BX)(AX*2), Y2, Y2
	VPADDD    Y2, Y0, Y0
	VPMOVSXBW 16(SI)(AX*1), Y3
	VPMADDWD  32(BX)(AX*2), Y3, Y3
	VPADDD    Y3, Y1, Y1
	ADDQ      $32, AX
	CMPQ      AX, DX
	JLT       chunk

	VPADDD       Y1, Y0, Y0
	VEXTRACTI128 $1, Y0, X1
	VPADDD       X1, X0, X0
	VPSHUFD      $0x4E, X0, X1
	VPADDD       X1, X0, X0
	VPSHUFD      $0xB1, X0, X1
	VPADDD       X1, X0, X0
	VMOVD        X0, (DI)
	ADDQ         $4, DI
	ADDQ         DX, SI
	DECQ         CX
	JMP          row

done:
	VZEROUPPER
	RET
