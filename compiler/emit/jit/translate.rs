//! One function of the kernel IR as Cranelift IR.

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{InstBuilder, MemFlagsData, StackSlotData, StackSlotKind, Type, Value, types};
use cranelift_frontend::{FunctionBuilder, Variable};

use crate::emit::jit::JitError;
use crate::kernel::{Affine, BinOp, Derivation, Expr, Function, MicroArg, Program, Stmt, Ty};
use crate::tensor::DType;
use crate::tensor::arith::{PRECISE_BITS, Rounding};

/// Fills the builder's function, whose parameters are the buffers' addresses and then the scalars.
pub(super) fn function(
    builder: &mut FunctionBuilder<'_>,
    program: &Program,
    function: &Function,
    pointer: Type,
) -> Result<(), JitError> {
    let block = builder.create_block();
    builder.append_block_params_for_function_params(block);
    builder.switch_to_block(block);
    let arguments = builder.block_params(block).to_vec();
    let (buffers, scalars) = arguments.split_at(function.params.len());
    let mut buffers: Vec<(Value, DType)> =
        buffers.iter().zip(&function.params).map(|(&address, param)| (address, param.elem)).collect();
    for local in &function.locals {
        let bytes = u32::try_from(local.len * local.elem.size())
            .map_err(|_| JitError(format!("local `{}` is too large", local.name)))?;
        let data = StackSlotData::new(StackSlotKind::ExplicitSlot, bytes, 4);
        let slot = builder.create_sized_stack_slot(data);
        buffers.push((builder.ins().stack_addr(pointer, slot, 0), local.elem));
    }
    let registers = function.registers.iter().map(|ty| builder.declare_var(clif(*ty))).collect();
    let mut frame = Frame { builder, program, function, buffers, vars: Vec::new(), registers };
    frame.declare_vars(scalars);
    frame.statements(&function.body)?;
    builder.ins().return_(&[]);
    builder.seal_all_blocks();
    Ok(())
}

fn clif(ty: Ty) -> Type {
    match ty {
        Ty::I32 => types::I32,
        Ty::I64 => types::I64,
    }
}

/// A function, or a micro-kernel's meaning in the place of its call.
struct Frame<'a, 'f> {
    builder: &'a mut FunctionBuilder<'f>,
    program: &'a Program,
    function: &'a Function,
    buffers: Vec<(Value, DType)>,
    /// Indices are 64 bits wide, so that addresses need no extension.
    vars: Vec<Variable>,
    registers: Vec<Variable>,
}

impl Frame<'_, '_> {
    fn declare_vars(&mut self, scalars: &[Value]) {
        self.vars = self.function.vars.iter().map(|_| self.builder.declare_var(types::I64)).collect();
        for (&var, &scalar) in self.vars.iter().zip(scalars) {
            self.builder.def_var(var, scalar);
        }
    }

    fn statements(&mut self, body: &[Stmt]) -> Result<(), JitError> {
        body.iter().try_for_each(|statement| self.statement(statement))
    }

    fn statement(&mut self, statement: &Stmt) -> Result<(), JitError> {
        match statement {
            Stmt::For { var, lower, upper, step, body } => {
                let variable = self.vars[var.0 as usize];
                let (lower, upper) = (self.affine(lower), self.affine(upper));
                self.builder.def_var(variable, lower);
                let head = self.builder.create_block();
                let inside = self.builder.create_block();
                let after = self.builder.create_block();
                self.builder.ins().jump(head, &[]);
                self.builder.switch_to_block(head);
                let now = self.builder.use_var(variable);
                let more = self.builder.ins().icmp(IntCC::SignedLessThan, now, upper);
                self.builder.ins().brif(more, inside, &[], after, &[]);
                self.builder.switch_to_block(inside);
                self.statements(body)?;
                let now = self.builder.use_var(variable);
                let next = self.builder.ins().iadd_imm_s(now, *step);
                self.builder.def_var(variable, next);
                self.builder.ins().jump(head, &[]);
                self.builder.switch_to_block(after);
                Ok(())
            }
            Stmt::Let { var, derivation, left, right } => {
                let (left, right) = (self.affine(left), self.affine(right));
                let ins = self.builder.ins();
                // Operands of a division are not negative.
                let value = match derivation {
                    Derivation::Min => ins.smin(left, right),
                    Derivation::Max => ins.smax(left, right),
                    Derivation::Quotient => ins.udiv(left, right),
                    Derivation::Remainder => ins.urem(left, right),
                    Derivation::Product => ins.imul(left, right),
                };
                self.builder.def_var(self.vars[var.0 as usize], value);
                Ok(())
            }
            Stmt::Set { reg, value } => {
                let value = self.expr(value)?;
                self.builder.def_var(self.registers[reg.0 as usize], value);
                Ok(())
            }
            Stmt::Store { buf, index, value } => {
                let value = self.expr(value)?;
                let (address, elem) = self.address(buf.0, index);
                let flags = MemFlagsData::new().with_notrap();
                match elem {
                    DType::I8 => self.builder.ins().istore8(flags, value, address, 0),
                    DType::I16 => self.builder.ins().istore16(flags, value, address, 0),
                    DType::I32 => self.builder.ins().store(flags, value, address, 0),
                    DType::F32 => return Err(JitError("kernels have no floats".into())),
                };
                Ok(())
            }
            Stmt::Micro { kernel, registers, arguments } => {
                let registers = registers.iter().map(|reg| self.registers[reg.0 as usize]).collect();
                self.micro(kernel, registers, arguments)
            }
        }
    }

    fn micro(
        &mut self,
        kernel: &str,
        mut registers: Vec<Variable>,
        arguments: &[MicroArg],
    ) -> Result<(), JitError> {
        let micro = self.program.micros.iter().find(|micro| micro.meaning.name == kernel);
        let micro = micro.ok_or_else(|| JitError(format!("no micro-kernel `{kernel}`")))?;
        let mut buffers = Vec::new();
        let mut scalars = Vec::new();
        for argument in arguments {
            match argument {
                MicroArg::Pointer { buf, index } => buffers.push(self.address(buf.0, index)),
                MicroArg::Value(value) => {
                    let value = self.expr(value)?;
                    scalars.push(self.builder.ins().sextend(types::I64, value));
                }
            }
        }
        for ty in &micro.meaning.registers[registers.len()..] {
            registers.push(self.builder.declare_var(clif(*ty)));
        }
        let mut frame = Frame {
            builder: &mut *self.builder,
            program: self.program,
            function: &micro.meaning,
            buffers,
            vars: Vec::new(),
            registers,
        };
        frame.declare_vars(&scalars);
        frame.statements(&micro.meaning.body)
    }

    fn affine(&mut self, affine: &Affine) -> Value {
        let mut sum: Option<Value> = None;
        for &(var, factor) in &affine.terms {
            let value = self.builder.use_var(self.vars[var.0 as usize]);
            let term = if factor == 1 { value } else { self.builder.ins().imul_imm_s(value, factor) };
            sum = Some(match sum {
                None => term,
                Some(sum) => self.builder.ins().iadd(sum, term),
            });
        }
        match sum {
            None => self.builder.ins().iconst(types::I64, affine.constant),
            Some(sum) if affine.constant == 0 => sum,
            Some(sum) => self.builder.ins().iadd_imm_s(sum, affine.constant),
        }
    }

    fn address(&mut self, buf: u32, index: &Affine) -> (Value, DType) {
        let (base, elem) = self.buffers[buf as usize];
        let offset = self.affine(&index.times(elem.size() as i64));
        (self.builder.ins().iadd(base, offset), elem)
    }

    /// The element at an address.
    fn element(&mut self, address: Value, elem: DType) -> Result<Value, JitError> {
        let flags = MemFlagsData::new().with_notrap();
        match elem {
            DType::I8 => Ok(self.builder.ins().sload8(types::I32, flags, address, 0)),
            DType::I16 => Ok(self.builder.ins().sload16(types::I32, flags, address, 0)),
            DType::I32 => Ok(self.builder.ins().load(types::I32, flags, address, 0)),
            DType::F32 => Err(JitError("kernels have no floats".into())),
        }
    }

    fn expr(&mut self, expr: &Expr) -> Result<Value, JitError> {
        Ok(match expr {
            Expr::Const(ty, value) => self.builder.ins().iconst(clif(*ty), truncated(*ty, *value)),
            Expr::Reg(reg) => self.builder.use_var(self.registers[reg.0 as usize]),
            Expr::Index(affine) => {
                let wide = self.affine(affine);
                self.builder.ins().ireduce(types::I32, wide)
            }
            Expr::Load { buf, index } => {
                let (address, elem) = self.address(buf.0, index);
                self.element(address, elem)?
            }
            Expr::Lookup { table, at } => {
                let at = self.expr(at)?;
                let at = self.builder.ins().sextend(types::I64, at);
                let (base, elem) = self.buffers[table.0 as usize];
                let scaled = self.builder.ins().imul_imm_s(at, elem.size() as i64);
                let offset = self.builder.ins().iadd_imm_s(scaled, 128 * elem.size() as i64);
                let address = self.builder.ins().iadd(base, offset);
                self.element(address, elem)?
            }
            Expr::Bin(op, a, b) => {
                let (a, b) = (self.expr(a)?, self.expr(b)?);
                self.binary(*op, a, b)
            }
            Expr::Select(condition, a, b) => {
                let condition = self.expr(condition)?;
                let (a, b) = (self.expr(a)?, self.expr(b)?);
                self.builder.ins().select(condition, a, b)
            }
            Expr::Widen(x) => {
                let x = self.expr(x)?;
                self.builder.ins().sextend(types::I64, x)
            }
            Expr::Narrow(x) => {
                let x = self.expr(x)?;
                self.builder.ins().ireduce(types::I32, x)
            }
            Expr::Requant { x, value, shift, rounding } => {
                let (x, value, shift) = (self.expr(x)?, self.expr(value)?, self.expr(shift)?);
                match rounding {
                    Rounding::Double => self.requant_double(x, value, shift),
                    Rounding::Single => self.requant_single(x, value, shift),
                    Rounding::Wide => {
                        let value = self.builder.ins().sextend(types::I64, value);
                        let product = self.builder.ins().imul(x, value);
                        self.rounded_up(product, shift)
                    }
                    Rounding::Precise => self.requant_precise(x, value, shift),
                }
            }
        })
    }

    fn binary(&mut self, op: BinOp, a: Value, b: Value) -> Value {
        let ins = self.builder.ins();
        match op {
            BinOp::Add => ins.iadd(a, b),
            BinOp::Sub => ins.isub(a, b),
            BinOp::Mul => ins.imul(a, b),
            BinOp::Div => ins.sdiv(a, b),
            BinOp::Min => ins.smin(a, b),
            BinOp::Max => ins.smax(a, b),
            BinOp::Shl => ins.ishl(a, b),
            BinOp::Shr => ins.sshr(a, b),
            BinOp::And => ins.band(a, b),
            BinOp::Lt | BinOp::Eq => {
                let condition = if op == BinOp::Lt { IntCC::SignedLessThan } else { IntCC::Equal };
                let flag = ins.icmp(condition, a, b);
                self.builder.ins().uextend(types::I32, flag)
            }
        }
    }

    /// As `tensor::arith`: high multiplication, then division by a power of two, both rounded.
    fn requant_double(&mut self, x: Value, value: Value, shift: Value) -> Value {
        let ins = &mut *self.builder;
        let zero = ins.ins().iconst(types::I32, 0);
        let left = ins.ins().smax(shift, zero);
        let negative = ins.ins().ineg(shift);
        let right = ins.ins().smax(negative, zero);
        let shifted = ins.ins().ishl(x, left);
        let (a, b) = (ins.ins().sextend(types::I64, shifted), ins.ins().sextend(types::I64, value));
        let product = ins.ins().imul(a, b);
        let sign = ins.ins().sshr_imm_u(product, 63);
        // 2^30 for products that are not negative, 1 - 2^30 for the others.
        let down = ins.ins().band_imm_s(sign, 1 - (1i64 << 31));
        let nudge = ins.ins().iadd_imm_s(down, 1i64 << 30);
        let nudged = ins.ins().iadd(product, nudge);
        // Division by 2^31 that truncates.
        let below = ins.ins().sshr_imm_u(nudged, 63);
        let correction = ins.ins().band_imm_s(below, (1i64 << 31) - 1);
        let corrected = ins.ins().iadd(nudged, correction);
        let high = ins.ins().sshr_imm_u(corrected, 31);
        let high = ins.ins().ireduce(types::I32, high);
        let one = ins.ins().iconst(types::I32, 1);
        let power = ins.ins().ishl(one, right);
        let mask = ins.ins().isub(power, one);
        let remainder = ins.ins().band(high, mask);
        let half = ins.ins().sshr_imm_u(mask, 1);
        let minus = ins.ins().ushr_imm_u(high, 31);
        let threshold = ins.ins().iadd(half, minus);
        let up = ins.ins().icmp(IntCC::SignedGreaterThan, remainder, threshold);
        let up = ins.ins().uextend(types::I32, up);
        let floor = ins.ins().sshr(high, right);
        ins.ins().iadd(floor, up)
    }

    /// As `tensor::arith`: the product with the upper bits, and what the lower ones carry into it.
    fn requant_precise(&mut self, x: Value, value: Value, shift: Value) -> Value {
        let ins = &mut *self.builder;
        let bits = i64::from(PRECISE_BITS);
        let upper = ins.ins().sshr_imm_u(value, bits);
        let high = ins.ins().imul(x, upper);
        let lower = ins.ins().band_imm_s(value, (1i64 << bits) - 1);
        let low = ins.ins().imul(x, lower);
        let minus = ins.ins().ushr_imm_u(x, 63);
        let low = ins.ins().isub(low, minus);
        let carried = ins.ins().sshr_imm_u(low, bits);
        let sum = ins.ins().iadd(high, carried);
        self.rounded_up(sum, shift)
    }

    /// As `tensor::arith`: half added, then one shift of the 64-bit product.
    fn rounded_up(&mut self, product: Value, shift: Value) -> Value {
        let ins = &mut *self.builder;
        let shift = ins.ins().sextend(types::I64, shift);
        let before = ins.ins().iadd_imm_s(shift, -1);
        let one = ins.ins().iconst(types::I64, 1);
        let half = ins.ins().ishl(one, before);
        let sum = ins.ins().iadd(product, half);
        let result = ins.ins().sshr(sum, shift);
        ins.ins().ireduce(types::I32, result)
    }

    /// As `tensor::arith`: half added, one less for a negative product, then one shift of the 64-bit product.
    fn requant_single(&mut self, x: Value, value: Value, shift: Value) -> Value {
        let ins = &mut *self.builder;
        let (a, b) = (ins.ins().sextend(types::I64, x), ins.ins().sextend(types::I64, value));
        let product = ins.ins().imul(a, b);
        let shift = ins.ins().sextend(types::I64, shift);
        let thirty_one = ins.ins().iconst(types::I64, 31);
        let total = ins.ins().isub(thirty_one, shift);
        let before = ins.ins().iadd_imm_s(total, -1);
        let one = ins.ins().iconst(types::I64, 1);
        let half = ins.ins().ishl(one, before);
        let minus = ins.ins().ushr_imm_u(product, 63);
        let half = ins.ins().isub(half, minus);
        let sum = ins.ins().iadd(product, half);
        let result = ins.ins().sshr(sum, total);
        ins.ins().ireduce(types::I32, result)
    }
}

/// A constant as Cranelift wants it: the low bits of its type.
fn truncated(ty: Ty, value: i64) -> i64 {
    match ty {
        Ty::I32 => i64::from(value as u32),
        Ty::I64 => value,
    }
}
