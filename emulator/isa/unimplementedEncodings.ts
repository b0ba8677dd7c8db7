/**
 * Encodings that the manual names and the machine does not execute, one a line: opcode, then the names without prefix
 * and with 66, F3, F2 (- for none). `/n` is ModRM.reg, `mem` or `reg` what ModRM names, `=XX` the whole ModRM byte.
 */

/** x87 (SDM 1 chapter 8). */
const X87 = `
D8 /0 mem: fadd
D8 /1 mem: fmul
D8 /2 mem: fcom
D8 /3 mem: fcomp
D8 /4 mem: fsub
D8 /5 mem: fsubr
D8 /6 mem: fdiv
D8 /7 mem: fdivr
D8 /0 reg: fadd
D8 /1 reg: fmul
D8 /2 reg: fcom
D8 /3 reg: fcomp
D8 /4 reg: fsub
D8 /5 reg: fsubr
D8 /6 reg: fdiv
D8 /7 reg: fdivr
D9 /0 mem: fld
D9 /2 mem: fst
D9 /3 mem: fstp
D9 /4 mem: fldenv
D9 /5 mem: fldcw
D9 /6 mem: fnstenv
D9 /7 mem: fnstcw
D9 /0 reg: fld
D9 /1 reg: fxch
D9 =D0: fnop
D9 =E0: fchs
D9 =E1: fabs
D9 =E4: ftst
D9 =E5: fxam
D9 =E8: fld1
D9 =E9: fldl2t
D9 =EA: fldl2e
D9 =EB: fldpi
D9 =EC: fldlg2
D9 =ED: fldln2
D9 =EE: fldz
D9 =F0: f2xm1
D9 =F1: fyl2x
D9 =F2: fptan
D9 =F3: fpatan
D9 =F4: fxtract
D9 =F5: fprem1
D9 =F6: fdecstp
D9 =F7: fincstp
D9 =F8: fprem
D9 =F9: fyl2xp1
D9 =FA: fsqrt
D9 =FB: fsincos
D9 =FC: frndint
D9 =FD: fscale
D9 =FE: fsin
D9 =FF: fcos
DA /0 mem: fiadd
DA /1 mem: fimul
DA /2 mem: ficom
DA /3 mem: ficomp
DA /4 mem: fisub
DA /5 mem: fisubr
DA /6 mem: fidiv
DA /7 mem: fidivr
DA /0 reg: fcmovb
DA /1 reg: fcmove
DA /2 reg: fcmovbe
DA /3 reg: fcmovu
DA =E9: fucompp
DB /0 mem: fild
DB /1 mem: fisttp
DB /2 mem: fist
DB /3 mem: fistp
DB /5 mem: fld
DB /7 mem: fstp
DB /0 reg: fcmovnb
DB /1 reg: fcmovne
DB /2 reg: fcmovnbe
DB /3 reg: fcmovnu
DB =E0: fneni
DB =E1: fndisi
DB =E2: fnclex
DB =E3: fninit
DB =E4: fnsetpm
DB /5 reg: fucomi
DB /6 reg: fcomi
DC /0 mem: fadd
DC /1 mem: fmul
DC /2 mem: fcom
DC /3 mem: fcomp
DC /4 mem: fsub
DC /5 mem: fsubr
DC /6 mem: fdiv
DC /7 mem: fdivr
DC /0 reg: fadd
DC /1 reg: fmul
DC /2 reg: fcom
DC /3 reg: fcomp
DC /4 reg: fsubr
DC /5 reg: fsub
DC /6 reg: fdivr
DC /7 reg: fdiv
DD /0 mem: fld
DD /1 mem: fisttp
DD /2 mem: fst
DD /3 mem: fstp
DD /4 mem: frstor
DD /6 mem: fnsave
DD /7 mem: fnstsw
DD /0 reg: ffree
DD /1 reg: fxch
DD /2 reg: fst
DD /3 reg: fstp
DD /4 reg: fucom
DD /5 reg: fucomp
DE /0 mem: fiadd
DE /1 mem: fimul
DE /2 mem: ficom
DE /3 mem: ficomp
DE /4 mem: fisub
DE /5 mem: fisubr
DE /6 mem: fidiv
DE /7 mem: fidivr
DE /0 reg: faddp
DE /1 reg: fmulp
DE /2 reg: fcomp
DE =D9: fcompp
DE /4 reg: fsubrp
DE /5 reg: fsubp
DE /6 reg: fdivrp
DE /7 reg: fdivp
DF /0 mem: fild
DF /1 mem: fisttp
DF /2 mem: fist
DF /3 mem: fistp
DF /4 mem: fbld
DF /5 mem: fild
DF /6 mem: fbstp
DF /7 mem: fistp
DF /1 reg: fxch
DF /2 reg: fstp
DF /3 reg: fstp
DF =E0: fnstsw
DF /5 reg: fucomip
DF /6 reg: fcomip
`;

/** MMX, SSE, SSE2, SSE3 and the others of map 0F. */
const MAP_0F = `
0F 12 mem: - - movsldup movddup
0F 12 reg: - - movsldup movddup
0F 16 mem: - - movshdup
0F 16 reg: - - movshdup
0F 2A: cvtpi2ps cvtpi2pd cvtsi2ss cvtsi2sd
0F 2C: cvttps2pi cvttpd2pi cvttss2si cvttsd2si
0F 2D: cvtps2pi cvtpd2pi cvtss2si cvtsd2si
0F 2E: ucomiss ucomisd
0F 2F: comiss comisd
0F 37: getsec
0F 51: sqrtps sqrtpd sqrtss sqrtsd
0F 52: rsqrtps - rsqrtss
0F 53: rcpps - rcpss
0F 58: addps addpd addss addsd
0F 59: mulps mulpd mulss mulsd
0F 5A: cvtps2pd cvtpd2ps cvtss2sd cvtsd2ss
0F 5B: cvtdq2ps cvtps2dq cvttps2dq
0F 5C: subps subpd subss subsd
0F 5D: minps minpd minss minsd
0F 5E: divps divpd divss divsd
0F 5F: maxps maxpd maxss maxsd
0F 60: punpcklbw
0F 61: punpcklwd
0F 62: punpckldq
0F 63: packsswb
0F 64: pcmpgtb
0F 65: pcmpgtw
0F 66: pcmpgtd
0F 67: packuswb
0F 68: punpckhbw
0F 69: punpckhwd
0F 6A: punpckhdq
0F 6B: packssdw
0F 6E: movd
0F 6F: movq
0F 70: pshufw
0F 71 /2 reg: psrlw
0F 71 /4 reg: psraw
0F 71 /6 reg: psllw
0F 72 /2 reg: psrld
0F 72 /4 reg: psrad
0F 72 /6 reg: pslld
0F 73 /2 reg: psrlq
0F 73 /6 reg: psllq
0F 74: pcmpeqb
0F 75: pcmpeqw
0F 76: pcmpeqd
0F 77: emms
0F 7C: - haddpd - haddps
0F 7D: - hsubpd - hsubps
0F 7E: movd
0F 7F: movq
0F C2: cmpps cmppd cmpss cmpsd
0F C4: pinsrw
0F C5: pextrw
0F D0: - addsubpd - addsubps
0F D1: psrlw
0F D2: psrld
0F D3: psrlq
0F D4: paddq
0F D5: pmullw
0F D6: - - movq2dq movdq2q
0F D7: pmovmskb
0F D8: psubusb
0F D9: psubusw
0F DA: pminub
0F DB: pand
0F DC: paddusb
0F DD: paddusw
0F DE: pmaxub
0F DF: pandn
0F E0: pavgb
0F E1: psraw
0F E2: psrad
0F E3: pavgw
0F E4: pmulhuw
0F E5: pmulhw
0F E6: - cvttpd2dq cvtdq2pd cvtpd2dq
0F E7: movntq
0F E8: psubsb
0F E9: psubsw
0F EA: pminsw
0F EB: por
0F EC: paddsb
0F ED: paddsw
0F EE: pmaxsw
0F EF: pxor
0F F1: psllw
0F F2: pslld
0F F3: psllq
0F F4: pmuludq
0F F5: pmaddwd
0F F6: psadbw
0F F7: maskmovq maskmovdqu
0F F8: psubb
0F F9: psubw
0F FA: psubd
0F FB: psubq
0F FC: paddb
0F FD: paddw
0F FE: paddd
`;

const MAP_0F38 = `
0F 38 00: pshufb pshufb
0F 38 01: phaddw phaddw
0F 38 02: phaddd phaddd
0F 38 03: phaddsw phaddsw
0F 38 04: pmaddubsw pmaddubsw
0F 38 05: phsubw phsubw
0F 38 06: phsubd phsubd
0F 38 07: phsubsw phsubsw
0F 38 08: psignb psignb
0F 38 09: psignw psignw
0F 38 0A: psignd psignd
0F 38 0B: pmulhrsw pmulhrsw
0F 38 10: - pblendvb
0F 38 14: - blendvps
0F 38 15: - blendvpd
0F 38 17: - ptest
0F 38 1C: pabsb pabsb
0F 38 1D: pabsw pabsw
0F 38 1E: pabsd pabsd
0F 38 20: - pmovsxbw
0F 38 21: - pmovsxbd
0F 38 22: - pmovsxbq
0F 38 23: - pmovsxwd
0F 38 24: - pmovsxwq
0F 38 25: - pmovsxdq
0F 38 28: - pmuldq
0F 38 29: - pcmpeqq
0F 38 2A: - movntdqa
0F 38 2B: - packusdw
0F 38 30: - pmovzxbw
0F 38 31: - pmovzxbd
0F 38 32: - pmovzxbq
0F 38 33: - pmovzxwd
0F 38 34: - pmovzxwq
0F 38 35: - pmovzxdq
0F 38 37: - pcmpgtq
0F 38 38: - pminsb
0F 38 39: - pminsd
0F 38 3A: - pminuw
0F 38 3B: - pminud
0F 38 3C: - pmaxsb
0F 38 3D: - pmaxsd
0F 38 3E: - pmaxuw
0F 38 3F: - pmaxud
0F 38 40: - pmulld
0F 38 41: - phminposuw
0F 38 C8: sha1nexte
0F 38 C9: sha1msg1
0F 38 CA: sha1msg2
0F 38 CB: sha256rnds2
0F 38 CC: sha256msg1
0F 38 CD: sha256msg2
0F 38 CF: - gf2p8mulb
0F 38 D8 /0 mem: - - aesencwide128kl
0F 38 D8 /1 mem: - - aesdecwide128kl
0F 38 D8 /2 mem: - - aesencwide256kl
0F 38 D8 /3 mem: - - aesdecwide256kl
0F 38 DB: - aesimc
0F 38 DC mem: - aesenc aesenc128kl
0F 38 DC reg: - aesenc loadiwkey
0F 38 DD: - aesenclast aesdec128kl
0F 38 DE: - aesdec aesenc256kl
0F 38 DF: - aesdeclast aesdec256kl
0F 38 F0: - - - crc32
0F 38 F1: - - - crc32
0F 38 F5: - wrussd
0F 38 F6: wrssd adcx adox
0F 38 F8: - movdir64b enqcmds enqcmd
0F 38 F9: movdiri
0F 38 FA: - - encodekey128
0F 38 FB: - - encodekey256
`;

const MAP_0F3A = `
0F 3A 08: - roundps
0F 3A 09: - roundpd
0F 3A 0A: - roundss
0F 3A 0B: - roundsd
0F 3A 0C: - blendps
0F 3A 0D: - blendpd
0F 3A 0E: - pblendw
0F 3A 0F: palignr palignr
0F 3A 14: - pextrb
0F 3A 15: - pextrw
0F 3A 16: - pextrd
0F 3A 17: - extractps
0F 3A 20: - pinsrb
0F 3A 21: - insertps
0F 3A 22: - pinsrd
0F 3A 40: - dpps
0F 3A 41: - dppd
0F 3A 42: - mpsadbw
0F 3A 44: - pclmulqdq
0F 3A 60: - pcmpestrm
0F 3A 61: - pcmpestri
0F 3A 62: - pcmpistrm
0F 3A 63: - pcmpistri
0F 3A CC: sha1rnds4
0F 3A CE: - gf2p8affineqb
0F 3A CF: - gf2p8affineinvqb
0F 3A DF: - aeskeygenassist
0F 3A F0: - - hreset
`;

/** State saving, transactions, keys, enclaves, random numbers. */
const SYSTEM = `
0F 01 /5 mem: - - rstorssp
0F AE /0 mem: fxsave
0F AE /1 mem: fxrstor
0F AE /4 mem: xsave - ptwrite
0F AE /4 reg: - - ptwrite
0F AE /5 mem: xrstor
0F AE /5 reg: - - incsspd
0F AE /6 mem: xsaveopt clwb clrssbsy
0F AE /6 reg: - tpause umonitor umwait
0F AE /7 mem: - clflushopt
0F C7 /3 mem: xrstors
0F C7 /4 mem: xsavec
0F C7 /5 mem: xsaves
0F C7 /6 reg: rdrand rdrand senduipi
0F C7 /7 reg: rdseed rdseed
0F 01 =C0: enclv
0F 01 =C5: pconfig
0F 01 =CF: encls seamcall
0F 01 =CC: - tdcall
0F 01 =D5: xend
0F 01 =D6: xtest
0F 01 =D7: enclu
0F 01 =E8: serialize - setssbsy xsusldtrk
0F 01 =E9: - - - xresldtrk
0F 01 =EA: - - saveprevssp
0F 01 =EC: - - uiret
0F 01 =ED: - - testui
0F 01 =EE: rdpkru - clui
0F 01 =EF: wrpkru - stui
0F 01 =CD: - seamret
0F 01 =CE: - seamops
9B: fwait
C6 =F8: xabort
C7 =F8: xbegin
`;

/** Integer instructions with a VEX prefix (BMI1, BMI2): in the columns of VEX.pp. */
const VEX = `
VEX 0F 38 F2: andn
VEX 0F 38 F3 /1: blsr
VEX 0F 38 F3 /2: blsmsk
VEX 0F 38 F3 /3: blsi
VEX 0F 38 F5: bzhi - pext pdep
VEX 0F 38 F6: - - - mulx
VEX 0F 38 F7: bextr shlx sarx shrx
VEX 0F 3A F0: - - - rorx
`;

/** All lines, by opcode and ModRM. */
export const unimplementedEncodings: ReadonlyMap<string, readonly string[]> = new Map(
  [X87, MAP_0F, MAP_0F38, MAP_0F3A, SYSTEM, VEX]
    .join('\n')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [key, names] = line.split(': ');
      return [key, names.split(' ')];
    }),
);
