nas 1

/// Of the block.
/// Two lines.
block b(filters, kernel: 3) {
  /// Of the layer.
  conv2d(filters: filters)

  choose {
    // an ordinary comment
    /// Of the option.
    a: relu
    b: relu6
  }
}
