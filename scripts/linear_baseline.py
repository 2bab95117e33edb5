"""What a linear classifier reaches on the embedded images: the bar that every design must pass.

    python scripts/linear_baseline.py

Needs scikit-learn (`pip install -e '.[dev]'`). Pixels are scaled to [0, 1]; the strength of the L2
penalty is taken where it is best on the *test* images, which favours the linear classifier.
"""

from sklearn.linear_model import LogisticRegression

from nextify.data import Images, load


def main() -> None:
    """Print the accuracy for each strength."""
    dataset = load("embedded")
    assert isinstance(dataset.train, Images) and isinstance(dataset.test, Images)
    train, test = (part.pixels.flatten(1).numpy() / 255.0 for part in (dataset.train, dataset.test))
    for strength in (0.01, 0.03, 0.1, 0.3, 1.0):
        model = LogisticRegression(C=strength, max_iter=200)
        model.fit(train, dataset.train.labels.numpy())
        accuracy = model.score(test, dataset.test.labels.numpy())
        print(f"C = {strength}: {accuracy:.2%} on {len(test):,} test images")


if __name__ == "__main__":
    main()
