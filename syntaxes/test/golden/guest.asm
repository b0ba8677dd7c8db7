; a comment
%include "guest.inc"
%define NUMBER 100
bits 64
section .text
global _start
_start:
        mov     eax, NUMBER
        vmcall
        cmp     qword [rel answer], 0x55aa
        jne     .failed
        rep movsb
.failed:
        hlt
answer: dq 55aah, 1010b
%macro put 2
        mov     %1, %2
%endmacro
text    db "text", 'x', 0
