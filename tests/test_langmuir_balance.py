"""Two measurements of one density, of the ions and of the electrons, are one result."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ishtar.langmuir.arguments import probe_of
from ishtar.langmuir.balance import balance
from ishtar.langmuir.limits import ion_uncertainty
from ishtar.langmuir.model import HOLD, LN_NE, LN_R, LN_TE, VP
from tests.probe_fakes import KNOWN, NE, TE, TIP

P = HOLD + 1
SIGMA_IONS, SIGMA_ELECTRONS = 0.08, 0.01  # of ln ne, of ln ne R


def probe(field):
    return probe_of(reduction=None, field=field, **KNOWN)


def fits(*shares):
    """Return fits whose ln R are these, and their errors: ln ne from the ions, ln ne R sure."""
    theta = np.zeros((len(shares), P))
    theta[:, LN_NE], theta[:, LN_TE] = math.log(NE), math.log(TE)
    theta[:, LN_R] = np.log(shares)
    turn = np.eye(P)
    turn[LN_R, LN_NE] = -1.0
    apart = np.diag(np.full(P, 0.01**2))
    apart[LN_NE, LN_NE], apart[LN_R, LN_R] = SIGMA_IONS**2, SIGMA_ELECTRONS**2
    # where the knee is is what R is known by
    apart[VP, LN_R] = apart[LN_R, VP] = 0.5 * SIGMA_ELECTRONS * 0.01
    covariance = np.tile(turn @ apart @ turn.T, (len(shares), 1, 1))
    return theta, (covariance, 0.5 * covariance)


def found(field, *shares):
    theta, errors = fits(*shares)
    return balance(theta, errors, probe(field)), theta


def sigma(of, k):
    return np.sqrt(of.covariance[:, k, k])


class TestWithoutAField:
    def test_it_is_the_weighted_mean_of_both(self):
        b, theta = found(0.0, 0.92)
        rho = TIP.radius / math.sqrt(8.8541878e-12 * TE / (1.602176634e-19 * NE))
        ions2 = SIGMA_IONS**2 + float(ion_uncertainty(rho)) ** 2
        electrons2 = SIGMA_ELECTRONS**2 + 0.05**2
        w = electrons2 / (ions2 + electrons2)
        assert b.theta[0, LN_NE] - theta[0, LN_NE] == pytest.approx((1 - w) * math.log(0.92))
        expected = math.sqrt(ions2 * electrons2 / (ions2 + electrons2))
        assert sigma(b, LN_NE)[0] == pytest.approx(expected)

    def test_the_electrons_current_is_what_it_was(self):
        b, theta = found(0.0, 0.7, 0.95, 1.05)
        kept = b.theta[:, LN_NE] + b.theta[:, LN_R]
        np.testing.assert_allclose(kept, theta[:, LN_NE] + theta[:, LN_R], atol=0.01)

    def test_too_many_ions_leave_it_to_the_electrons(self):
        b, theta = found(0.0, 1.0 / 1.35)
        assert b.theta[0, LN_NE] - theta[0, LN_NE] == pytest.approx(-math.log(1.35), abs=0.06)
        assert sigma(b, LN_NE)[0] < 0.08
        assert b.excess[0] > 0.15

    def test_what_the_knee_knows_of_r_moves_it(self):
        """Vp and ln R err together, so that a known R tells of Vp, too."""
        b, theta = found(0.0, 0.9)
        assert abs(b.theta[0, VP] - theta[0, VP]) > 0.0
        assert sigma(b, VP)[0] < 0.01

    def test_errors_are_never_larger_than_before(self):
        theta, (covariance, _) = fits(0.6, 0.8, 1.0, 1.1)
        b = balance(theta, (covariance, 0.5 * covariance), probe(0.0))
        assert (sigma(b, LN_NE)[1:] < np.hypot(SIGMA_IONS, 0.03)).all()
        own = np.sqrt(b.noise[:, LN_NE, LN_NE])
        assert (own <= sigma(b, LN_NE)).all()

    def test_much_too_few_electrons_are_not_believed_to_be_all(self):
        b, theta = found(0.0, 0.2)
        assert b.theta[0, LN_NE] == pytest.approx(theta[0, LN_NE], abs=0.02)
        assert b.ambiguity[0] > 0.15


class TestWithAField:
    def test_a_strong_one_leaves_the_density_to_the_ions(self):
        b, theta = found(0.04, 0.25)
        assert b.theta[0, LN_NE] == pytest.approx(theta[0, LN_NE], abs=0.01)
        assert b.ambiguity[0] == 0.0
        assert sigma(b, LN_NE)[0] == pytest.approx(SIGMA_IONS, rel=0.1)

    def test_a_weak_one_is_nearly_none(self):
        strict, _ = found(0.0, 0.9)
        weak, _ = found(1e-4, 0.9)
        np.testing.assert_allclose(weak.theta, strict.theta, atol=0.01)


class TestOfAFieldNobodyTells:
    def test_near_one_there_is_none(self):
        b, _ = found(None, 1.0, 0.97)
        none, _ = found(0.0, 1.0, 0.97)
        np.testing.assert_allclose(b.theta, none.theta, atol=0.01)
        assert (sigma(b, LN_NE) < 0.06).all()

    def test_between_it_may_be_either(self):
        b, theta = found(None, 0.75)
        moved = b.theta[0, LN_NE] - theta[0, LN_NE]
        assert 0.3 * math.log(0.75) > moved > 0.7 * math.log(0.75)
        # ions and electrons are both within one and a half of its errors
        assert sigma(b, LN_NE)[0] > abs(math.log(0.75)) / 3.0
        assert b.ambiguity[0] > 0.1

    def test_far_below_there_is_one(self):
        b, theta = found(None, 0.3)
        assert b.theta[0, LN_NE] == pytest.approx(theta[0, LN_NE], abs=0.01)
        assert b.ambiguity[0] == pytest.approx(0.2, abs=0.02)

    def test_a_share_beyond_all_reason_is_a_number(self):
        b, _ = found(None, 5.0, 1e-6)
        assert np.isfinite(b.theta).all()
        assert np.isfinite(b.covariance).all()
