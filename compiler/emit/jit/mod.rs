//! Host code of a lowered network, by Cranelift: what accuracy is measured with.
//!
//! In: a [`Program`] and where its buffers lie in the arena. Out: a [`Jit`] that runs it on arrays of bytes, with
//! the meaning that the interpreter defines. Overflow, which lowering excludes, would wrap here. Control flow and
//! addresses do not depend on data, so a program that the interpreter has run once touches no other memory here.

mod translate;

#[cfg(test)]
pub(crate) mod tests;

use cranelift_codegen::Context;
use cranelift_codegen::ir::{AbiParam, InstBuilder, UserFuncName, types};
use cranelift_codegen::settings::{self, Configurable};
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext};
use cranelift_jit::{JITBuilder, JITModule};
use cranelift_module::{FuncId, Linkage, Module, default_libcall_names};

use crate::kernel::{Arg, BufferId, Program};

/// Why there is no host code: always a bug, or a machine that Cranelift does not know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JitError(pub String);

impl std::fmt::Display for JitError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

fn error(error: impl std::fmt::Display) -> JitError {
    JitError(error.to_string())
}

/// Host code of a network, with its constants.
pub struct Jit {
    module: Option<JITModule>,
    entries: Vec<extern "C" fn(*mut u8)>,
    /// The code holds the addresses of these.
    _tables: Vec<Vec<u64>>,
    arena_bytes: usize,
    inputs: Vec<Slot>,
    outputs: Vec<Slot>,
}

#[derive(Clone, Copy)]
struct Slot {
    offset: usize,
    bytes: usize,
}

impl Jit {
    /// Compiles a program whose buffers start at `offsets` of an arena of `arena_bytes`.
    ///
    /// # Errors
    /// When Cranelift does not know this machine, or a buffer does not lie within the arena.
    pub fn compile(program: &Program, offsets: &[u64], arena_bytes: u64) -> Result<Jit, JitError> {
        Jit::compile_parts(program, offsets, arena_bytes, &[(0..program.steps.len()).collect()])
    }

    /// As [`Jit::compile`], with an entry for each of `parts`, which are steps to be run in order.
    ///
    /// # Errors
    /// As [`Jit::compile`].
    pub fn compile_parts(
        program: &Program,
        offsets: &[u64],
        arena_bytes: u64,
        parts: &[Vec<usize>],
    ) -> Result<Jit, JitError> {
        let slot = |id: &BufferId| -> Result<Slot, JitError> {
            let (buffer, offset) = (&program.buffers[id.0 as usize], offsets[id.0 as usize]);
            if offset.checked_add(buffer.bytes()).is_none_or(|end| end > arena_bytes) {
                return Err(JitError(format!("buffer `{}` lies outside the arena", buffer.name)));
            }
            Ok(Slot { offset: offset as usize, bytes: buffer.bytes() as usize })
        };
        for id in 0..program.buffers.len() {
            slot(&BufferId(id as u32))?;
        }
        let tables: Vec<Vec<u64>> = program.tables.iter().map(table_words).collect();
        let mut compiler = Compiler::new()?;
        let mut functions: Vec<Option<FuncId>> = vec![None; program.functions.len()];
        for call in parts.iter().flatten().flat_map(|&step| &program.steps[step].calls) {
            let at = call.function.0 as usize;
            if functions[at].is_none() {
                functions[at] = Some(compiler.function(program, &program.functions[at])?);
            }
        }
        let entries = (0..parts.len())
            .map(|part| compiler.entry(program, offsets, &tables, (part, &parts[part], &functions)))
            .collect::<Result<Vec<FuncId>, JitError>>()?;
        compiler.module.finalize_definitions().map_err(error)?;
        let entry = |id: FuncId| {
            let code = compiler.module.get_finalized_function(id);
            #[expect(unsafe_code, reason = "the entry was declared with this signature")]
            unsafe {
                std::mem::transmute::<*const u8, extern "C" fn(*mut u8)>(code)
            }
        };
        Ok(Jit {
            entries: entries.into_iter().map(entry).collect(),
            module: Some(compiler.module),
            _tables: tables,
            arena_bytes: arena_bytes as usize,
            inputs: program.inputs.iter().map(slot).collect::<Result<_, _>>()?,
            outputs: program.outputs.iter().map(slot).collect::<Result<_, _>>()?,
        })
    }

    /// An arena for [`Jit::run`], to be used again and again.
    pub fn arena(&self) -> Arena {
        Arena(vec![0; self.arena_bytes.div_ceil(16).max(1)])
    }

    /// Runs the network: the bytes of each input in, those of each output out.
    ///
    /// # Errors
    /// When the number of inputs, or of an input's bytes, is wrong.
    pub fn run(&self, arena: &mut Arena, inputs: &[&[u8]]) -> Result<Vec<Vec<u8>>, JitError> {
        if arena.0.len() * 16 < self.arena_bytes {
            return Err(JitError("the arena belongs to another network".into()));
        }
        if inputs.len() != self.inputs.len() {
            return Err(JitError(format!("{} inputs instead of {}", inputs.len(), self.inputs.len())));
        }
        for (slot, input) in self.inputs.iter().zip(inputs) {
            if input.len() != slot.bytes {
                return Err(JitError(format!(
                    "an input has {} bytes instead of {}",
                    input.len(),
                    slot.bytes
                )));
            }
            arena.bytes_mut()[slot.offset..slot.offset + slot.bytes].copy_from_slice(input);
        }
        let bytes = arena.bytes_mut().as_mut_ptr();
        self.entries.iter().for_each(|entry| entry(bytes));
        Ok(self.outputs.iter().map(|s| arena.bytes_mut()[s.offset..s.offset + s.bytes].to_vec()).collect())
    }

    /// Runs one entry of [`Jit::compile_parts`].
    ///
    /// # Safety
    /// The arena has the bytes for which the code was made, and nobody else uses them.
    #[expect(unsafe_code, reason = "the caller answers for the arena")]
    pub(crate) unsafe fn enter(&self, part: usize, arena: *mut u8) {
        (self.entries[part])(arena);
    }
}

impl Drop for Jit {
    fn drop(&mut self) {
        if let Some(module) = self.module.take() {
            #[expect(unsafe_code, reason = "the only pointer into the code goes with `self`")]
            unsafe {
                module.free_memory();
            }
        }
    }
}

#[expect(unsafe_code, reason = "the code is never written after it is made, and the tables are only read")]
unsafe impl Send for Jit {}
#[expect(unsafe_code, reason = "running takes the arena of the caller and changes nothing else")]
unsafe impl Sync for Jit {}

/// Memory that a network runs in, aligned to 16 bytes.
pub struct Arena(Vec<u128>);

impl Arena {
    fn bytes_mut(&mut self) -> &mut [u8] {
        let n_bytes = self.0.len() * 16;
        #[expect(unsafe_code, reason = "any byte of a u128 may be read and written as a u8")]
        unsafe {
            std::slice::from_raw_parts_mut(self.0.as_mut_ptr().cast::<u8>(), n_bytes)
        }
    }
}

/// A table's elements in memory order, in words so that it is aligned.
fn table_words(table: &crate::kernel::Table) -> Vec<u64> {
    let size = table.elem.size();
    let bytes: Vec<u8> = table.values.iter().flat_map(|value| value.to_ne_bytes()[..].to_vec()).collect();
    let narrow: Vec<u8> = if cfg!(target_endian = "little") {
        bytes.chunks_exact(4).flat_map(|word| word[..size].to_vec()).collect()
    } else {
        bytes.chunks_exact(4).flat_map(|word| word[4 - size..].to_vec()).collect()
    };
    narrow
        .chunks(8)
        .map(|chunk| {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            u64::from_ne_bytes(word)
        })
        .collect()
}

struct Compiler {
    module: JITModule,
    context: Context,
    builder: FunctionBuilderContext,
}

impl Compiler {
    fn new() -> Result<Compiler, JitError> {
        let mut flags = settings::builder();
        flags.set("opt_level", "speed").map_err(error)?;
        flags.set("is_pic", "false").map_err(error)?;
        let isa = cranelift_native::builder().map_err(error)?;
        let isa = isa.finish(settings::Flags::new(flags)).map_err(error)?;
        let module = JITModule::new(JITBuilder::with_isa(isa, default_libcall_names()));
        let context = module.make_context();
        Ok(Compiler { module, context, builder: FunctionBuilderContext::new() })
    }

    fn function(
        &mut self,
        program: &Program,
        function: &crate::kernel::Function,
    ) -> Result<FuncId, JitError> {
        let pointer = self.module.target_config().pointer_type();
        let mut signature = self.module.make_signature();
        signature.params.extend(function.params.iter().map(|_| AbiParam::new(pointer)));
        signature.params.extend((0..function.n_scalars).map(|_| AbiParam::new(types::I64)));
        let id = self.module.declare_function(&function.name, Linkage::Local, &signature).map_err(error)?;
        self.context.func.signature = signature;
        self.context.func.name = UserFuncName::user(0, id.as_u32());
        let mut builder = FunctionBuilder::new(&mut self.context.func, &mut self.builder);
        translate::function(&mut builder, program, function, pointer)?;
        builder.finalize(self.module.target_config());
        self.define(id)
    }

    /// `entry(arena)`: all calls of some steps in order.
    fn entry(
        &mut self,
        program: &Program,
        offsets: &[u64],
        tables: &[Vec<u64>],
        (part, steps, functions): (usize, &[usize], &[Option<FuncId>]),
    ) -> Result<FuncId, JitError> {
        let pointer = self.module.target_config().pointer_type();
        let mut signature = self.module.make_signature();
        signature.params.push(AbiParam::new(pointer));
        let id = self
            .module
            .declare_function(&format!("entry_{part}"), Linkage::Export, &signature)
            .map_err(error)?;
        self.context.func.signature = signature;
        self.context.func.name = UserFuncName::user(0, id.as_u32());
        let mut builder = FunctionBuilder::new(&mut self.context.func, &mut self.builder);
        let block = builder.create_block();
        builder.append_block_params_for_function_params(block);
        builder.switch_to_block(block);
        builder.seal_block(block);
        let arena = builder.block_params(block)[0];
        for call in steps.iter().flat_map(|&step| &program.steps[step].calls) {
            let callee = functions[call.function.0 as usize].ok_or_else(|| error("a call of no function"))?;
            let callee = self.module.declare_func_in_func(callee, builder.func);
            let mut arguments = Vec::with_capacity(call.buffers.len() + call.scalars.len());
            for argument in &call.buffers {
                arguments.push(match argument {
                    Arg::Buffer(id) => {
                        let offset = builder.ins().iconst(pointer, offsets[id.0 as usize] as i64);
                        builder.ins().iadd(arena, offset)
                    }
                    Arg::Table(id) => builder.ins().iconst(pointer, tables[id.0 as usize].as_ptr() as i64),
                });
            }
            for &scalar in &call.scalars {
                arguments.push(builder.ins().iconst(types::I64, i64::from(scalar)));
            }
            builder.ins().call(callee, &arguments);
        }
        builder.ins().return_(&[]);
        builder.finalize(self.module.target_config());
        self.define(id)
    }

    fn define(&mut self, id: FuncId) -> Result<FuncId, JitError> {
        let defined = self.module.define_function(id, &mut self.context);
        self.module.clear_context(&mut self.context);
        defined.map_err(|e| JitError(format!("{e:?}")))?;
        Ok(id)
    }
}
