use super::*;
use crate::ops::{Activation, Clamp, Constant, Conv2d, Input, Param, ParamRole, Window};

fn param(name: &str, role: ParamRole, shape: Vec<usize>) -> Param {
    Param { name: name.into(), role, ty: TensorType::f32(crate::tensor::Shape::from(shape)), fan_in: 0 }
}

fn small() -> Graph {
    let mut graph = Graph::new();
    let x = graph.add(Input { ty: TensorType::f32([1, 8, 1, 3]) }, &[]).expect("an input");
    let w = graph.add(param("w", ParamRole::Weight, vec![4, 3, 1, 3]), &[]).expect("a parameter");
    let b = graph.add(param("b", ParamRole::Bias, vec![4]), &[]).expect("a parameter");
    let window = Window::same([3, 1], [2, 1], [8, 1]);
    let conv = Conv2d { window, clamp: Clamp::None, requant: None };
    let y = graph.add(conv, &[x, w, b]).expect("a convolution");
    let z = graph.add(Activation { clamp: Clamp::Relu }, &[y]).expect("an activation");
    graph.add_output(z);
    graph
}

#[test]
fn a_graph_verifies_and_prints() {
    let graph = small();
    graph.verify().expect("well formed");
    assert_eq!(graph.macs(), Macs(4 * 4 * 9));
    insta::assert_snapshot!(graph.to_text(), @r"
    %0 = input() : f32[1, 8, 1, 3]
    %1 = param() w : f32[4, 3, 1, 3]
    %2 = param() b : f32[4]
    %3 = conv2d(%0, %1, %2) kernel=3x1 stride=2x1 pad=0,1,0,0 : f32[1, 4, 1, 4]
    %4 = activation(%3) relu : f32[1, 4, 1, 4]
    return %4
    ");
}

#[test]
fn the_verifier_sees_a_wrong_constant() {
    let mut graph = small();
    let ty = TensorType::f32([2]);
    let node = graph.add(Constant { name: "c".into(), ty }, &[]).expect("a constant");
    graph.add_output(node);
    graph.verify().expect("a placeholder is fine");
    graph.set_constant("c", Value::from_f32(&[3].into(), vec![0.0; 3]).expect("three"));
    let error = graph.verify().expect_err("three are not two");
    assert!(error.message.contains("holds f32[3]"), "{error}");
}
