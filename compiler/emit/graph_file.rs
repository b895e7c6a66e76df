//! `<name>.graph`: what `verify` and `eval` need of a bundle, as JSON.
//!
//! Reading takes files from anyone: every index is checked before it is used, and whatever is wrong becomes E0907. The
//! graph in it is that of `graph_json.rs`.

use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use crate::diagnostic::{Code, Diagnostic, Result};
use crate::emit::graph_json::{read_graph, write_graph};
use crate::emit::{Golden, Interface, Network, RawInput, RawInterface, Reading, check_raw};
use crate::graph::{Graph, NodeId};
use crate::kernel::Choice;
use crate::target::{Target, Toolchain};
use crate::tensor::{DType, TensorType};

/// Version of the format; a reader takes no other.
const VERSION: u64 = 2;
/// Greatest size of a file; a document takes up to sixteen times its size in memory.
const MAX_FILE_BYTES: usize = 64 << 20;

/// A buffer with its place in the arena.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlacedBuffer {
    /// Its name in the program.
    pub name: String,
    /// First byte.
    pub offset: u64,
    /// Size.
    pub bytes: u64,
}

/// The plan as the bundle's code has it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// Positions in the graph's order of the nodes that the steps run, in their order.
    pub order: Vec<usize>,
    /// Buffers in the order of the program.
    pub buffers: Vec<PlacedBuffer>,
    /// Size of the arena.
    pub arena_bytes: u64,
    /// Alignment of the arena.
    pub arena_align: usize,
}

/// What the file holds.
#[derive(Clone, Debug)]
pub struct GraphFile {
    /// What a caller of the emitted code has to know.
    pub interface: Interface,
    /// The integer graph.
    pub graph: Graph,
    /// What turns the sensor's values into the input.
    pub raw: Option<RawInput>,
    /// Names of the classes.
    pub labels: Vec<String>,
    /// How each output is read where the network predicts numbers.
    pub readings: Vec<Reading>,
    /// Golden vectors, those of the self-test.
    pub golden: Vec<Golden>,
    /// The plan.
    pub plan: Plan,
    /// What the code was made for.
    pub target: Option<Target>,
    /// The schedules of the layers.
    pub choice: Choice,
}

impl GraphFile {
    /// The file that goes with a network's code; `graph` is what the network was lowered from by fast schedules.
    pub fn new(network: &Network<'_>, graph: &Graph, target: Option<&Target>) -> GraphFile {
        let program = network.program;
        let buffers = program.buffers.iter().zip(network.offsets).map(|(buffer, &offset)| PlacedBuffer {
            name: buffer.name.clone(),
            offset,
            bytes: buffer.bytes(),
        });
        GraphFile {
            interface: network.interface(),
            graph: graph.clone(),
            raw: network.raw.cloned(),
            labels: network.labels.to_vec(),
            readings: network.readings.to_vec(),
            golden: network.golden.to_vec(),
            plan: Plan {
                order: program.steps.iter().map(|step| step.node).collect(),
                buffers: buffers.collect(),
                arena_bytes: network.arena_bytes,
                arena_align: network.align(),
            },
            target: target.cloned(),
            choice: Choice::default(),
        }
    }
}

/// The fields of the document besides the graph.
#[derive(Serialize, Deserialize)]
struct Frame {
    interface: Interface,
    raw: Option<RawInput>,
    labels: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    readings: Vec<Reading>,
    golden: Vec<Golden>,
    plan: Plan,
    target: Option<Target>,
    #[serde(default, rename = "schedules", skip_serializing_if = "Choice::is_fast")]
    choice: Choice,
}

/// The file's bytes.
pub fn write_graph_file(file: &GraphFile) -> Vec<u8> {
    let frame = Frame {
        interface: file.interface.clone(),
        raw: file.raw.clone(),
        labels: file.labels.clone(),
        readings: file.readings.clone(),
        golden: file.golden.clone(),
        plan: file.plan.clone(),
        target: file.target.clone(),
        choice: file.choice.clone(),
    };
    let mut document =
        json!({ "format": "nasc graph", "version": VERSION, "graph": write_graph(&file.graph) });
    if let (Json::Object(document), Json::Object(frame)) = (&mut document, json!(frame)) {
        document.extend(frame);
    }
    let mut bytes = serde_json::to_vec_pretty(&document).expect("a document of text and numbers");
    bytes.push(b'\n');
    bytes
}

/// Reads a file from anyone. `path` is for messages.
///
/// # Errors
/// E0907 if it is not such a file, is damaged, or is larger than nasc writes.
pub fn read_graph_file(path: &str, bytes: &[u8]) -> Result<GraphFile> {
    parse(bytes).map_err(|message| {
        Diagnostic::error(Code::BUNDLE, format!("`{path}` cannot be read: {message}"))
            .help("`nasc compile` writes the bundle again")
            .into()
    })
}

fn parse(bytes: &[u8]) -> std::result::Result<GraphFile, String> {
    if bytes.len() > MAX_FILE_BYTES {
        return Err(format!("it has {} B, at most {MAX_FILE_BYTES} B are allowed", bytes.len()));
    }
    let document: Json = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    if document.get("format").and_then(Json::as_str) != Some("nasc graph") {
        return Err("it is not a graph file of nasc".into());
    }
    match document.get("version").and_then(Json::as_u64) {
        Some(VERSION) => {}
        Some(other) => {
            return Err(format!("it has version {other} of the format, this nasc reads {VERSION}"));
        }
        None => return Err("it has no version".into()),
    }
    let graph = read_graph(document.get("graph").unwrap_or(&Json::Null))?;
    let Frame { interface, raw, labels, readings, golden, plan, target, choice } =
        Frame::deserialize(&document).map_err(|error| error.to_string())?;
    let file = GraphFile { interface, graph, raw, labels, readings, golden, plan, target, choice };
    check_frame(&file)?;
    Ok(file)
}

/// Inputs and outputs of a graph as the interface has them; gives the types of the inputs.
fn check_ends<'g>(
    interface: &Interface,
    graph: &'g Graph,
) -> std::result::Result<Vec<&'g TensorType>, String> {
    let types =
        |nodes: &[NodeId]| -> Vec<&'g TensorType> { nodes.iter().map(|&node| graph.ty(node)).collect() };
    let (inputs, outputs) = (types(&graph.network_inputs()), types(graph.outputs()));
    if inputs.is_empty() || outputs.is_empty() {
        return Err("the graph has no input or no output".into());
    }
    let is_integer = |ty: &&TensorType| matches!(ty.dtype, DType::I8 | DType::I16) && ty.quant.is_some();
    if !inputs.iter().chain(&outputs).all(is_integer) {
        return Err("inputs and outputs are not quantized to 8 or 16 bit".into());
    }
    let is_wide = |types: &[&TensorType], bytes: usize| types.iter().all(|ty| ty.dtype.size() == bytes);
    if !is_wide(&inputs, interface.input_element_bytes) || !is_wide(&outputs, interface.output_element_bytes)
    {
        return Err("the interface has other element types than the graph".into());
    }
    let is_of = |types: &[&TensorType], (total, each): (usize, &[usize])| {
        let sizes: Vec<usize> = types.iter().map(|ty| ty.shape.elements()).collect();
        let sum = sizes.iter().try_fold(0usize, |sum, &size| sum.checked_add(size));
        sum == Some(total) && if sizes.len() == 1 { each.is_empty() } else { each == sizes }
    };
    if !is_of(&inputs, (interface.input_elements, &interface.inputs))
        || !is_of(&outputs, (interface.output_elements, &interface.outputs))
    {
        return Err("the interface has other sizes than the graph".into());
    }
    Ok(inputs)
}

/// What the parts say of each other.
fn check_frame(file: &GraphFile) -> std::result::Result<(), String> {
    let GraphFile { interface, graph, raw, labels, readings, golden, plan, .. } = file;
    crate::emit::check_name(&interface.name).map_err(|_| "its name is no C identifier".to_string())?;
    let inputs = check_ends(interface, graph)?;
    if let Some(raw) = raw {
        let &[input] = inputs.as_slice() else { return Err("a front end is before one input".into()) };
        check_raw(raw, input)?;
        if interface.output_element_bytes != 1 {
            return Err("the outputs behind a front end are not of 8 bit".into());
        }
    }
    if interface.raw != raw.as_ref().map(|raw| RawInterface::new(&raw.front_end)) {
        return Err("the interface and the front end do not agree".into());
    }
    if !labels.is_empty() && labels.len() != interface.output_elements {
        return Err(format!("it has {} labels for {} outputs", labels.len(), interface.output_elements));
    }
    let one_each = readings.is_empty() || readings.len() == interface.output_elements;
    if !one_each || !readings.iter().all(|reading| reading.is_sound()) {
        return Err("it does not say of each output how it is read".into());
    }
    let sizes = (interface.input_bytes(), interface.output_bytes());
    if golden.iter().any(|golden| (golden.input.len(), golden.output.len()) != sizes) {
        return Err("a golden vector has another size than the network".into());
    }
    let fits = |buffer: &PlacedBuffer| {
        buffer.offset.checked_add(buffer.bytes).is_some_and(|e| e <= plan.arena_bytes)
    };
    if !plan.buffers.iter().all(fits)
        || plan.arena_bytes > i32::MAX as u64
        || !plan.arena_align.is_power_of_two()
    {
        return Err("the plan has a buffer outside its arena".into());
    }
    if plan.order.iter().any(|&node| node >= graph.len()) {
        return Err("the plan runs a node that the graph has not".into());
    }
    if file.choice.positions().any(|node| node >= graph.len()) {
        return Err("it has a schedule for a node that the graph has not".into());
    }
    if file
        .target
        .as_ref()
        .and_then(|target| target.toolchain.as_ref())
        .is_some_and(|tools| !is_harmless(tools))
    {
        return Err("its toolchain is not a cross compiler with options of the machine".into());
    }
    Ok(())
}

/// Whether what a bundle from anyone has nasc run is a compiler by name, with options that load and write nothing.
fn is_harmless(toolchain: &Toolchain) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-+_.=,".contains(c);
    let named = toolchain.cc.ends_with("gcc") || toolchain.cc.ends_with("clang");
    // By name alone, which the compiler looks up in its own folders: the C library of a bare-metal compiler.
    let library = |flag: &String| matches!(flag.as_str(), "--specs=picolibc.specs" | "--specs=nano.specs");
    let option = |flag: &String| {
        let kind =
            ["-m", "-O", "-std=", "-Wall", "-Wextra", "-Wconversion", "-Wpedantic", "-Werror", "--target="];
        kind.iter().any(|kind| flag.starts_with(kind)) && flag.chars().all(plain)
    };
    named
        && !toolchain.cc.starts_with('-')
        && toolchain.cc.chars().all(plain)
        && toolchain.flags.iter().all(|flag| option(flag) || library(flag))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Element, FrontEnd, Quantizer, RawQuantizer};
    use crate::kernel::Variant;
    use crate::ops::{Clamp, Constant, Dense, Input, Requant};
    use crate::tensor::arith::Rounding;
    use crate::tensor::{Quant, Scale, Value};

    fn sample() -> GraphFile {
        let mut graph = Graph::new();
        let quant = Quant::per_tensor(0.1, -3);
        let x =
            graph.add(Input { ty: TensorType::quantized(DType::I8, [1, 3], quant) }, &[]).expect("an input");
        let w = TensorType::quantized(DType::I8, [2, 3], Quant::per_channel(vec![0.01, 0.3], 0));
        let b = TensorType { dtype: DType::I32, shape: [2].into(), quant: None };
        let w = graph.add(Constant { name: "w".into(), ty: w }, &[]).expect("a constant");
        let b = graph.add(Constant { name: "b".into(), ty: b }, &[]).expect("a constant");
        graph.set_constant("w", Value::from_i8(&[2, 3].into(), vec![1, -2, 3, -128, 127, 0]).expect("six"));
        graph.set_constant("b", Value::from_i32(&[2].into(), vec![i32::MIN, 7]).expect("two"));
        let requant =
            Requant { dtype: DType::I8, scale: Scale(0.07), zero_point: 5, rounding: Rounding::Single };
        let dense = Dense { clamp: Clamp::Relu, requant: Some(requant) };
        let y = graph.add(dense, &[x, w, b]).expect("a dense layer");
        graph.set_origin(y, "head \"µ\"", None);
        graph.add_output(y);
        GraphFile {
            interface: Interface {
                name: "net".into(),
                input_elements: 3,
                output_elements: 2,
                input_element_bytes: 1,
                output_element_bytes: 1,
                inputs: Vec::new(),
                outputs: Vec::new(),
                raw: Some(RawInterface { element: Element::F32, elements: 3, hop: None, lead: 0 }),
            },
            graph,
            raw: Some(RawInput {
                front_end: FrontEnd::Values { element: Element::F32, extents: [1, 1, 3] },
                quantizer: Quantizer::Float(RawQuantizer {
                    mean: vec![0.1, 0.2, 1e-30],
                    factor: vec![3.3, 1.0, 2.0],
                    zero_point: -3,
                }),
            }),
            labels: vec!["yes".into(), "no".into()],
            readings: vec![Reading::Share, Reading::Scaled { mean: 0.5, deviation: 2.0 }],
            golden: vec![Golden { input: vec![1, -2, 127], output: vec![-128, 0] }],
            plan: Plan {
                order: vec![3],
                buffers: vec![PlacedBuffer { name: "x".into(), offset: 0, bytes: 3 }],
                arena_bytes: 32,
                arena_align: 16,
            },
            target: None,
            choice: Choice::default().with(3, Variant::Lean),
        }
    }

    #[test]
    fn a_file_reads_back() {
        let file = sample();
        let bytes = write_graph_file(&file);
        let back = read_graph_file("net.graph", &bytes).expect("what was written");
        assert_eq!(back.graph.to_text_with_labels(), file.graph.to_text_with_labels());
        assert_eq!(back.graph.constants(), file.graph.constants());
        assert_eq!((&back.interface, &back.raw, &back.labels), (&file.interface, &file.raw, &file.labels));
        assert_eq!(back.readings, file.readings);
        assert_eq!((&back.plan, &back.golden, &back.choice), (&file.plan, &file.golden, &file.choice));
        assert_eq!(write_graph_file(&back), bytes);
    }

    #[test]
    fn damaged_files_never_panic() {
        let bytes = write_graph_file(&sample());
        for end in 0..bytes.len() - 2 {
            let error = read_graph_file("net.graph", &bytes[..end]).expect_err("half a file");
            assert_eq!(error.0[0].code, Code::BUNDLE);
        }
        let mut seed = 1u64;
        let mut refused = 0;
        for _ in 0..4000 {
            let mut damaged = bytes.clone();
            for _ in 0..3 {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let at = (seed >> 33) as usize % damaged.len();
                damaged[at] = b"0123456789-,[]{}\"eE.ax\xff\0"[(seed >> 20) as usize % 24];
            }
            if let Err(error) = read_graph_file("net.graph", &damaged) {
                assert!(error.0[0].message.contains("net.graph") && !error.0[0].help.is_empty());
                refused += 1;
            }
        }
        assert!(refused > 2000, "{refused} of 4000 damaged files were refused");
    }

    #[test]
    fn a_bundle_cannot_choose_what_is_run() {
        let toolchain =
            |cc: &str, flag: &str| Toolchain { cc: cc.into(), flags: vec![flag.into()], machine: None };
        assert!(is_harmless(&toolchain("arm-none-eabi-gcc", "-mcpu=cortex-m4")));
        for (cc, flag) in [
            ("/tmp/gcc", "-O2"),
            ("../gcc", "-O2"),
            ("sh", "-O2"),
            ("gcc", "-fplugin=evil.so"),
            ("gcc", "-wrapper"),
            ("gcc", "@options"),
            ("gcc", "-mcpu=x/../y"),
            ("gcc", "-o"),
        ] {
            assert!(!is_harmless(&toolchain(cc, flag)), "{cc} {flag}");
        }
    }

    #[test]
    fn large_numbers_are_refused() {
        let text = String::from_utf8(write_graph_file(&sample())).expect("JSON");
        for (from, to) in [
            ("\"version\": 2", "\"version\": 1"),
            ("nasc graph", "graph"),
            ("\"arena_bytes\": 32", "\"arena_bytes\": 2"),
            ("\"offset\": 0", "\"offset\": 18446744073709551615"),
            ("\"zero_point\": 5", "\"zero_point\": 500"),
            ("\"name\": \"net\"", "\"name\": \"ne t\""),
            ("\"input_elements\": 3", "\"input_elements\": 4"),
            ("\"elements\": 3", "\"elements\": 4"),
            ("\"element\": \"f32\"", "\"element\": \"i16\""),
        ] {
            assert!(text.contains(from), "{from}");
            read_graph_file("net.graph", text.replacen(from, to, 1).as_bytes()).expect_err(to);
        }
        let mut document: Json = serde_json::from_str(&text).expect("JSON");
        document["graph"]["nodes"][0]["op"]["ty"]["shape"] = json!([4_294_967_296u64, 4_294_967_296u64, 3]);
        read_graph(&document["graph"]).expect_err("a shape of 2^64 elements");
        document["graph"]["nodes"][0]["op"]["ty"]["shape"] =
            json!([2_147_483_648u64, 2_147_483_648u64, 1, 1]);
        read_graph(&document["graph"]).expect_err("a shape of 2^62 elements");
    }
}
