	.globl	begin
begin:
	hlt
