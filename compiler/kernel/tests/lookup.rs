//! Look-ups: what the verifier demands of them, and what they give.

use std::sync::Arc;

use crate::kernel::*;
use crate::tensor::{DType, Value};

/// `output[i] = table[input[i] + 128]` over four elements.
fn program(elem: DType, values: Vec<i32>, from_table: bool) -> Program {
    let at = Affine::var(Var(0));
    let load = Expr::Load { buf: Buf(0), index: at.clone() };
    let value = Expr::Lookup { table: Buf(1), at: Box::new(load) };
    let body = vec![Stmt::For {
        var: Var(0),
        lower: Affine::constant(0),
        upper: Affine::constant(4),
        step: 1,
        body: vec![Stmt::Store { buf: Buf(2), index: at, value }],
    }];
    let param = |name: &str, elem, access| BufParam { name: name.into(), elem, access };
    let function = Function {
        name: "look_up".into(),
        params: vec![
            param("input", elem, Access::Read),
            param("table", DType::I8, Access::Read),
            param("output", DType::I8, Access::Write),
        ],
        n_scalars: 0,
        vars: vec!["i".into()],
        registers: Vec::new(),
        locals: Vec::new(),
        body: body.into(),
    };
    let buffer = |name: &str, elem, role| Buffer { name: name.into(), elem, len: 4, align: 4, role };
    let table = if from_table { Arg::Table(TableId(0)) } else { Arg::Buffer(BufferId(0)) };
    let buffers = vec![Arg::Buffer(BufferId(0)), table, Arg::Buffer(BufferId(1))];
    Program {
        buffers: vec![buffer("x", elem, Role::Input), buffer("y", DType::I8, Role::Output)],
        tables: vec![Table {
            name: "known".into(),
            elem: DType::I8,
            role: TableRole::Lookup,
            values: values.into(),
        }],
        functions: vec![function],
        steps: vec![Step {
            name: "step".into(),
            op: "curve".into(),
            node: 0,
            absorbs: None,
            calls: vec![Call { function: FunctionId(0), buffers, scalars: Vec::new() }],
            reads: vec![BufferId(0)],
            writes: vec![BufferId(1)],
            scratch: Vec::new(),
            overlaps: Vec::new(),
            macs: 0,
            work: Vec::new(),
        }],
        inputs: vec![BufferId(0)],
        outputs: vec![BufferId(1)],
        ..Program::default()
    }
}

fn squares() -> Vec<i32> {
    (-128..128).map(|x| x * x / 200).collect()
}

#[test]
fn a_byte_chooses_its_element() {
    let program = program(DType::I8, squares(), true);
    let input = Value::from_i8(&[4].into(), vec![-128, -1, 60, 127]).expect("four");
    let found = run(&program, &Placement::disjoint(&program), &[input]).expect("runs");
    assert_eq!(found[0].to_i32_vec().expect("integers"), [81, 0, 18, 80]);
}

#[test]
fn a_lookup_that_could_miss_is_refused() {
    let said = |program: &Program| program.verify().expect_err("refused").message;
    assert!(said(&program(DType::I8, squares()[1..].to_vec(), true)).contains("no table of 256"));
    assert!(said(&program(DType::I8, squares(), false)).contains("no table of 256"));
    assert!(said(&program(DType::I16, squares(), true)).contains("more bits"));
    let mut by_constant = program(DType::I8, squares(), true);
    let statements = Arc::make_mut(&mut by_constant.functions[0].body);
    let Stmt::For { body, .. } = &mut statements[0] else { panic!("a loop") };
    let at = Box::new(Expr::Const(Ty::I32, 300));
    body[0] =
        Stmt::Store { buf: Buf(2), index: Affine::var(Var(0)), value: Expr::Lookup { table: Buf(1), at } };
    assert!(said(&by_constant).contains("no element"));
}
