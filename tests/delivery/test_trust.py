import ssl

import pytest

from delivery.trust import HTTP1, HTTP2, shared_trust, trust


def test_an_authority_of_its_own_is_the_only_one_trusted() -> None:
    assert trust().verify_mode is ssl.CERT_REQUIRED
    with pytest.raises(ssl.SSLError):
        trust("-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----\n")


def test_all_who_believe_the_same_share_a_context_and_no_certificate_is_added_to_it() -> None:
    assert shared_trust() is shared_trust()
    assert shared_trust(protocol=HTTP1) is not shared_trust()
    assert trust() is not trust()

    shared = shared_trust()
    assert (shared.verify_mode, shared.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert shared.minimum_version is ssl.TLSVersion.TLSv1_2
    assert {c["serialNumber"] for c in shared.get_ca_certs()} == {
        c["serialNumber"] for c in ssl.create_default_context().get_ca_certs()
    }
    with pytest.raises(TypeError):
        shared.load_cert_chain("client.pem")


def test_a_library_that_says_again_what_it_speaks_changes_nothing_for_the_others() -> None:
    shared_trust(protocol=HTTP1).set_alpn_protocols([HTTP1])
    shared_trust().set_alpn_protocols([HTTP2])
    with pytest.raises(ValueError, match="offers"):
        shared_trust().set_alpn_protocols([HTTP1])
