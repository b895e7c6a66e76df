//! Text of a function in assembly, in two forms that differ in where constants wait: registers for floats or the
//! stack.
//!
//! Source  Procedure Call Standard for the Arm Architecture, IHI 0042: `r0` to `r3` and then the stack for arguments,
//! `r4` to `r11` to be kept, `s0` to `s15` free.

use std::fmt::Write as _;

use crate::kernel::Assembly;

/// Registers that every function keeps, and the link register, four bytes each.
const PUSHED: u64 = 9 * 4;

/// A function under construction.
pub(super) struct Assembler {
    text: String,
    floats: bool,
    slots: u64,
    /// Bytes on the stack in both forms.
    room: u64,
}

impl Assembler {
    /// Both forms of what `write` writes, with this many places for constants.
    pub(super) fn assemble(slots: u64, bytes: u64, write: impl Fn(&mut Assembler)) -> Assembly {
        Assembler::with_room((slots, 0), bytes, write)
    }

    /// The same with so many bytes on the stack, a multiple of 4, for the function itself.
    pub(super) fn with_room(
        (slots, room): (u64, u64),
        bytes: u64,
        write: impl Fn(&mut Assembler),
    ) -> Assembly {
        let form = |floats: bool| {
            let mut assembler = Assembler { text: String::new(), floats, slots, room };
            let frame = assembler.frame();
            assembler.lines("push {r4-r11, lr}");
            if frame > 0 {
                assembler.lines(&format!("sub sp, #{frame}"));
            }
            write(&mut assembler);
            if frame > 0 {
                assembler.lines(&format!("add sp, #{frame}"));
            }
            assembler.lines("pop {r4-r11, pc}");
            assembler.text
        };
        Assembly { float: form(true), plain: form(false), bytes, stack: PUSHED + 4 * slots + room }
    }

    /// Bytes on the stack below what is pushed: constants, and behind them the room.
    fn frame(&self) -> u64 {
        self.constants() + self.room
    }

    fn constants(&self) -> u64 {
        if self.floats { 0 } else { self.slots * 4 }
    }

    /// The address of the room.
    pub(super) fn room(&mut self, register: &str) {
        self.lines(&format!("add {register}, sp, #{}", self.constants()));
    }

    /// Instructions, separated by `;`.
    pub(super) fn lines(&mut self, text: &str) {
        for line in text.split(';') {
            writeln!(self.text, "{}", line.trim()).expect("a String takes all");
        }
    }

    /// Loads the argument `at` of those on the stack.
    pub(super) fn argument(&mut self, register: &str, at: u64) {
        let offset = PUSHED + self.frame() + 4 * at;
        self.lines(&format!("ldr {register}, [sp, #{offset}]"));
    }

    /// Stores the argument `at` of those on the stack.
    pub(super) fn keep_argument(&mut self, register: &str, at: u64) {
        let offset = PUSHED + self.frame() + 4 * at;
        self.lines(&format!("str {register}, [sp, #{offset}]"));
    }

    /// Loads the arguments `at` and the next.
    pub(super) fn arguments(&mut self, first: &str, second: &str, at: u64) {
        let offset = PUSHED + self.frame() + 4 * at;
        self.lines(&format!("ldrd {first}, {second}, [sp, #{offset}]"));
    }

    /// Keeps a register's value in a slot.
    pub(super) fn put(&mut self, slot: u64, register: &str) {
        match self.floats {
            true => self.lines(&format!("vmov s{slot}, {register}")),
            false => self.lines(&format!("str {register}, [sp, #{}]", 4 * slot)),
        }
    }

    /// Brings the value of a slot back.
    pub(super) fn get(&mut self, register: &str, slot: u64) {
        match self.floats {
            true => self.lines(&format!("vmov {register}, s{slot}")),
            false => self.lines(&format!("ldr {register}, [sp, #{}]", 4 * slot)),
        }
    }

    /// Keeps two values in an even slot and the next.
    pub(super) fn put_pair(&mut self, slot: u64, first: &str, second: &str) {
        match self.floats {
            true => self.lines(&format!("vmov d{}, {first}, {second}", slot / 2)),
            false => self.lines(&format!("strd {first}, {second}, [sp, #{}]", 4 * slot)),
        }
    }

    /// Brings back what an even slot and the next keep.
    pub(super) fn get_pair(&mut self, first: &str, second: &str, slot: u64) {
        match self.floats {
            true => self.lines(&format!("vmov {first}, {second}, d{}", slot / 2)),
            false => self.lines(&format!("ldrd {first}, {second}, [sp, #{}]", 4 * slot)),
        }
    }
}
