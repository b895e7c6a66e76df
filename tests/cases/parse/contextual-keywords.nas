nas 1
// Words that start items elsewhere are ordinary names here.
let step = 3
let data = {step, 5}
model model(model: 2, target: data) {
  repeat(times: 2)
  choose
  let(let: step)
  train(on: step, by: 2..8 by *2, weight: 1)
}
train { search: 3, model: target, let: log }
