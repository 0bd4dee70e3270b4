"""The estimators: scikit-learn's own checks, pipelines, searches, weights, data frames, parameters."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import Tags
from sklearn.utils.estimator_checks import parametrize_with_checks
from surface_cases import corner_data, hinge_data

from halfwave.errors import HalfwaveError
from halfwave.fitting.estimators import (
    AdditiveReLURegressor,
    HingeRegressor,
    MaxAffineRegressor,
    ReLUSumRegressor,
)


class OfFirstColumn(ReLUSumRegressor):
    """The estimator of one feature, looking at the first of several, which scikit-learn's checks always pass.

    The checks skip estimators that say that they take one feature only; this one lets them all run.
    """

    def _table(self, x: Any) -> Any:
        return x

    def _column(self, x: Any) -> Any:
        return x[:, 0]

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.one_d_array = False
        tags.input_tags.two_d_array = True
        tags.regressor_tags.poor_score = True  # the other columns matter too
        return tags


ESTIMATORS = [
    HingeRegressor(),
    MaxAffineRegressor(),
    MaxAffineRegressor(difference=True, starts=8),
    AdditiveReLURegressor(max_kinks=2),
    OfFirstColumn(max_kinks=4),
]


@parametrize_with_checks(ESTIMATORS)
@pytest.mark.filterwarnings("ignore")  # many checks pass data that deserve a warning
def test_checks_of_scikit_learn(estimator: Any, check: Any) -> None:
    check(estimator)


X, Y, _ = corner_data(200, seed=0)
LINE = np.linspace(-2, 2, 80)
KINKED = np.abs(LINE - 0.5)


def test_one_feature() -> None:
    model = ReLUSumRegressor(kinks=1)
    column = model.fit(LINE[:, None], KINKED).predict(LINE[:, None])
    np.testing.assert_allclose(column, KINKED, atol=1e-9)
    np.testing.assert_array_equal(model.fit(LINE, KINKED).predict(LINE), column)
    assert model.n_features_in_ == 1
    assert model.function_.kinks == pytest.approx([0.5])
    assert model.formula(3).startswith("relu(x - 0.5) + relu(-x + 0.5)")
    tags = model.__sklearn_tags__().input_tags
    assert (tags.one_d_array, tags.two_d_array) == (True, False)


def test_several_features_are_refused() -> None:
    with pytest.raises(
        HalfwaveError, match="takes one feature, and AdditiveReLURegressor several; got 2 features"
    ):
        ReLUSumRegressor().fit(X, Y)


@pytest.mark.parametrize("model", [m for m in ESTIMATORS if not isinstance(m, OfFirstColumn)], ids=repr)
def test_pipeline_and_score(model: Any) -> None:
    pipeline = make_pipeline(StandardScaler(), clone(model))
    assert cross_val_score(pipeline, X, Y, cv=3).mean() > 0.7
    fitted = clone(model).fit(X, Y)
    assert fitted.sse_ == pytest.approx(((Y - fitted.predict(X)) ** 2).sum(), rel=1e-9)
    assert "x2" in fitted.formula(digits=3)


@pytest.mark.slow
def test_search_finds_the_number_of_terms() -> None:
    search = GridSearchCV(MaxAffineRegressor(starts=6), {"pieces": [1, 2, 3]}, cv=3).fit(X, Y)
    assert search.best_params_ == {"pieces": 3}
    x, y, _ = hinge_data(400, seed=0, terms=2, noise=0.1)
    search = GridSearchCV(HingeRegressor(exchanges=0), {"terms": [0, 1, 2]}, cv=3).fit(x, y)
    assert search.best_params_ == {"terms": 2}
    search = GridSearchCV(AdditiveReLURegressor(), {"kinks": [0, 1]}, cv=3).fit(LINE[:, None], KINKED)
    assert search.best_params_ == {"kinks": 1}


@pytest.mark.parametrize("model", ESTIMATORS, ids=repr)
def test_weights_choose_points(model: Any) -> None:
    weights = np.repeat([1.0, 0.0], 100)
    spoilt = np.where(weights > 0, Y, 1e6)
    one = clone(model).fit(X, spoilt, sample_weight=weights)
    two = clone(model).fit(X[:100], Y[:100])
    np.testing.assert_allclose(one.predict(X[:100]), two.predict(X[:100]), atol=1e-5)
    assert one.sse_ == pytest.approx(two.sse_, rel=1e-5)


@pytest.mark.parametrize("model", ESTIMATORS, ids=repr)
def test_data_frames(model: Any) -> None:
    pandas = pytest.importorskip("pandas", reason="needs pandas")
    frame = pandas.DataFrame(X, columns=["width", "height"])
    fitted = clone(model).fit(frame, pandas.Series(Y))
    np.testing.assert_array_equal(fitted.predict(frame), clone(model).fit(X, Y).predict(X))
    assert list(fitted.feature_names_in_) == ["width", "height"]
    if not isinstance(model, OfFirstColumn):
        assert "height" in fitted.formula(digits=3)
    with pytest.raises(ValueError, match="feature names"):
        fitted.predict(frame.rename(columns={"width": "length"}))


def test_few_points_get_a_smaller_model() -> None:
    assert len(HingeRegressor(terms=6).fit(X[:9], Y[:9]).function_.weights) <= 2
    assert len(MaxAffineRegressor(pieces=6).fit(X[:9], Y[:9]).function_.intercepts) <= 3
    difference = MaxAffineRegressor(pieces=6, difference=True).fit(X[:9], Y[:9]).function_
    assert len(difference.convex.intercepts) <= 2
    assert len(HingeRegressor().fit(X[:2], Y[:2]).function_.weights) == 0


def test_random_state() -> None:
    model = MaxAffineRegressor(pieces=3, random_state=3)
    assert model.fit(X, Y).function_ == clone(model).fit(X, Y).function_


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (HingeRegressor(terms=-1), "`terms` of HingeRegressor must be a whole number of at least 0; got -1"),
        (HingeRegressor(terms=1.5), "`terms` of HingeRegressor must be a whole number of at least 0; got 1.5"),  # pyright: ignore[reportArgumentType]
        (HingeRegressor(exchanges=None), "`exchanges` of HingeRegressor must be a whole number"),  # pyright: ignore[reportArgumentType]
        (HingeRegressor(device=1), "`device` of HingeRegressor must be None or the name of a torch device; got 1"),  # pyright: ignore[reportArgumentType]
        (MaxAffineRegressor(pieces=0), "`pieces` of MaxAffineRegressor must be a positive integer; got 0"),
        (MaxAffineRegressor(difference="yes"), "`difference` of MaxAffineRegressor must be True or False; got 'yes'"),  # pyright: ignore[reportArgumentType]
        (MaxAffineRegressor(starts=0), "`starts` of MaxAffineRegressor must be a positive integer; got 0"),
        (MaxAffineRegressor(random_state="a"), "`random_state` must be a seed, a generator or None; got 'a'"),
        (AdditiveReLURegressor(kinks="many"), '`kinks` of AdditiveReLURegressor must be "auto" or a whole number'),
        (AdditiveReLURegressor(kinks=[1, -1]), "or a list of that; got [1, -1]"),
        (AdditiveReLURegressor(kinks=[1]), "`kinks` must have 2 entries, one for each feature; got 1"),
        (AdditiveReLURegressor(rounds=0), "`rounds` of AdditiveReLURegressor must be a positive integer; got 0"),
        (AdditiveReLURegressor(tolerance=np.inf), "must be a finite number of at least 0; got inf"),
        (OfFirstColumn(kinks=1.5), 'must be "auto" or a whole number of at least 0; got 1.5'),
    ],
)  # fmt: skip
def test_bad_parameters(model: Any, message: str) -> None:
    with pytest.raises(HalfwaveError, match=re.escape(message)):
        model.fit(X, Y)


@pytest.mark.parametrize("model", ESTIMATORS, ids=repr)
def test_bad_data(model: Any) -> None:
    with pytest.raises(NotFittedError):
        clone(model).predict(X)
    with pytest.raises(NotFittedError):
        clone(model).formula()
    with pytest.raises(ValueError, match="NaN"):
        clone(model).fit(np.where(X > 1, np.nan, X), Y)
    with pytest.raises(ValueError, match="minimum of 2 is required"):
        clone(model).fit(X[:1], Y[:1])
    with pytest.raises(HalfwaveError, match="`weights` must not be negative; got -1.0 at index 0"):
        clone(model).fit(X, Y, sample_weight=-np.ones(len(X)))
