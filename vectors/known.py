"""Answers that are published elsewhere, so that these scripts are checked themselves.

Licence: MIT OR Apache-2.0.
"""

import hashlib

from handshake import x3dh
from keys import (
    BASE, Q, cpace_generator, cpace_generator_string, cpace_isk, cpace_shared, dh, enc, from_le, le, multiply, public_key, ristretto_decode,
    ristretto_encode, sign_deployed, sign_published, xeddsa_sign, xeddsa_verify,
)
from notation import hkdf, sha256
from ratchet import kdf_ck, kdf_rk
from signature_cases import DEPLOYED, FIXED_Z, fingerprint_pair


def known_answers():
    x = bytes.fromhex

    # RFC 5869, test case 1
    assert hkdf(bytes(range(13)), b"\x0b" * 22, x("f0f1f2f3f4f5f6f7f8f9"), 42).hex() == (
        "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865")

    # CPace: draft-irtf-cfrg-cpace-21, B.3
    sid = x("7e4b4791d6a8ef019b936c79fb7f2c57")
    assert hashlib.sha512(cpace_generator_string(b"Password", x("0b415f696e69746961746f720b425f726573706f6e646572"), sid)).hexdigest() == (
        "da6d3ddc8802fca9058755ffd3ebde08a9c2c74945901a258482a288b6663af0"
        "6bf645c93cd1c51512307199c80e84908916d983b34af77205f90851a657ee27")
    g = cpace_generator(b"Password", x("0b415f696e69746961746f720b425f726573706f6e646572"), sid)
    ya, yb = x("da3d23700a9e5699258aef94dc060dfda5ebb61f02a5ea77fad53f4ff0976d08"), x("d2316b454718c35362d83d69df6320f38578ed5984651435e2949762d900b80d")
    shares = [ristretto_encode(multiply(from_le(y), g)) for y in (ya, yb)]
    assert [ristretto_encode(g).hex(), *(x.hex() for x in shares)] == [
        "222b6b195fe84b1652badb6f6a3ae3d24341e7306967f0b8115b40d5698c7e56", "d6bac480f2c386c394efc7c47adb9925dcd2630b64f240c50f8d0eec482b9157",
        "3ea7e0b19560d7c0b0f5734f63b955286dfa8232b5ebe63324e2d9e7433f7258"]
    k = cpace_shared(from_le(ya), shares[1])
    assert k == cpace_shared(from_le(yb), shares[0]) and k.hex() == "80b69a8a76457ab6a4d7f887a4bf6b55a2f80ac19c333f917a05fc9887c8b40f"
    assert cpace_isk(sid, k, shares[0], b"ADa", shares[1], b"ADb").hex() == (
        "b69effbf61b51d56401c0f65601abe428de8206feaaf0e32198896dcae7b35cd"
        "2b38950a39dfd5d4a79164614c2984f7daa460b588c1e80c3fa2068af7900447")
    # RFC 9496, A.2: encodings of no element; and the neutral one
    for bad in (
        "00ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "f3ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "01ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "ed57ffd8c914fb201471d1c3d245ce3c746fcbe63a3679d51b6a516ebebe0e20",
        "26948d35ca62e643e26a83177332e6b6afeb9d08e4268b650f1f5bbd8d81d371",
        "4eac077a713c57b4f4397629a4145982c661f48044dd3f96427d40b147d9742f",
        "3eb858e78f5a7254d8c9731174a94f76755fd3941c0ac93735c07ba14579630e",
        "a45fdc55c76448c049a1ab33f17023edfb2be3581e9c7aade8a6125215e04220",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    ):
        assert ristretto_decode(x(bad)) is None
    assert ristretto_encode(BASE).hex() == "e2f2ae0a6abc4e71a884a961c500515f58e30b6aa582dd8db6a65945e08d2d76"
    assert cpace_shared(from_le(ya), bytes(32)) is None

    # XEdDSA: two worked examples
    one = xeddsa_sign(sha256(b"outrigger example xeddsa 0"), b"", FIXED_Z)
    two = xeddsa_sign(sha256(b"outrigger example xeddsa 1"), b"outrigger", FIXED_Z)
    for got, want in (
        (one, {
            "seed": "411a494df53a8d2bd2ae87b7d38e2383f1215ea42795d5c9c6c80453c60a3fe7", "edwards_sign": 0,
            "k": "401a494df53a8d2bd2ae87b7d38e2383f1215ea42795d5c9c6c80453c60a3f67",
            "u": "4582951ddb61add0f6a886a12ced2d318f801db5f063bfaf1299ebf513355573",
            "A": "e066b9b0ed2dba1d4ff77d5c68388d53f158aa4f0e29ffe9a2aec9fa6989e200",
            "a": "b222861f57e81e1bcc01bae59bb3e905f1215ea42795d5c9c6c80453c60a3f07",
            "r": "ba9bee2747cc70c5e582f57b6654d9412761cad69dc8c58911db792748299b04",
            "h": "e20b94c85cd1af4a4e31a1d1a9218ccb7a847a6ff13d285d54e7e02c35dce707",
            "signature": "9caf45f7cd040bf4fd0f5ee193d514aa7857685da7f79770a783c2301842a85e"
                         "a5ffe538a56de495b95d4067cae4384d631f81b86a8c1b759ba0e893e7ead205",
        }),
        (two, {
            "seed": "370349695a2c8f3b75c34259dfd89d8048277d9b4dc69c295cf56ec770a3409f", "edwards_sign": 1,
            "k": "300349695a2c8f3b75c34259dfd89d8048277d9b4dc69c295cf56ec770a3405f",
            "u": "b433e6bac0bd4a3d30f12a67e61046e407358e0d18b9d2a2daed5da82686d44c",
            "A": "01f7936576d163ce3b719e6fc2a23e488de8319ae907f3aa99b5289716193126",
            "a": "5ef479c44326dfd490e98a7858029cfcb7d88264b23963d6a30a91388f5cbf00",
            "r": "fa7c6bd19e67e8340193f15d67d5f97735ae56557e639b29ff94c5fff2305702",
            "h": "bb79126939457efd87df73b629d59535e9935010a881a4930bed8e2c84dc2e0f",
            "signature": "299b3e6421f96d0cce4bd3e19e7be80848f8efdb3f7d84b4052a85e6ccfe6d5f"
                         "3a4a66a01aab4991add985838e5eca7d0f999f51ad4f467b266882412dfe050a",
        }),
    ):
        for name, value in want.items():
            assert got[name] == (value if name == "edwards_sign" else x(value)), name
    assert le(from_le(one["s"]) + Q).hex() == "92d3db95bfd0f6ed8ffa370aa9de1762631f81b86a8c1b759ba0e893e7ead215"
    assert sign_deployed(one["seed"], b"", FIXED_Z) == one["signature"]
    assert sign_deployed(two["seed"], b"outrigger", FIXED_Z).hex() == (
        "c708b07bb319296b09e1bb84040729d6bf3120e7eec071c52356d2b9d2c5a207"
        "13793b7c023cb9157763c5e8835c5f426bfb9050fb0925ae59fbeb4d49fb5b86")
    for u, message, signature in DEPLOYED:
        assert xeddsa_verify(x(u), x(message), x(signature)) is None
    assert [x(s)[63] >> 7 for _, _, s in DEPLOYED] == [1, 1, 0, 1]

    # every one of the 512 bits counts
    for bit in range(512):
        flipped = bytearray(two["signature"])
        flipped[bit // 8] ^= 1 << bit % 8
        assert xeddsa_verify(two["u"], b"outrigger", bytes(flipped))

    # X3DH: keys, DH outputs, secrets (the example's own label), signature over the signed prekey
    private = {n: sha256(b"outrigger example " + n.encode()) for n in ("IKa", "EKa", "IKb", "SPKb", "OPKb", "DHa1", "DHb1")}
    pub = {n: public_key(k) for n, k in private.items()}
    for n, k, u in (
        ("IKa", "35cb23b8c72a5bd736941759507241180d7e58b23e13862668a47eabf6d16b1c",
         "035581ed2eed0e99495f1c79b034ea8269b925946faa2eca4d9d17309baf9d5e"),
        ("EKa", "640b0bd03296c75efd1b23beb030f830be571e21bdc1957d4f252c3ef0366c82",
         "839ac73fb3c6f394b9f743578a1ae8ee1b33880fa7e554b89bca8b961f43dd79"),
        ("IKb", "7db0335bada6bdc23b03fc41732e629b6ecf38b3f033bd9ea96ebacdca8058ea",
         "f4085f31e337efee0519def7cd29bd122f8c5b7a4792aadf1345aaa691181169"),
        ("SPKb", "ca510099d83f069cc9d8210c3c0810b2006f84457cc576535e1117c563ab75af",
         "c3559d831253ab1d994725b2b3bc228846e9855c22de7a0836ddb9228b1da40f"),
        ("OPKb", "567643dbf146dccc4bd70593ad37448a5c7cc9ef0e051237af82a4f19e0c65de",
         "1782631e8b56db259540d9f381b632658e9492b1eb353b246dda5bec13d4946f"),
        ("DHa1", "2e609c35145d3c3562a35201a7c3aac35f1f9a8d4dc38d09e94411e481b6ff53",
         "ae11528a5ccf93e14aae808572cf0bfc572eba063747a40f931ee427b25b7603"),
        ("DHb1", "898941ded52aca180218b67d9736fef34a5c5a3cce615323ac10522059204dbf",
         "3da85e89edde79ace698cc0fffce54729fd7db579ff2db8457445c12741d1827"),
    ):
        assert private[n].hex() == k and pub[n].hex() == u, n
    dhs = [dh(private["IKa"], pub["SPKb"]), dh(private["EKa"], pub["IKb"]), dh(private["EKa"], pub["SPKb"]), dh(private["EKa"], pub["OPKb"])]
    assert [d.hex() for d in dhs] == [
        "9939f32ddbd0f78c81746ca8aa4ad6a0a898d94854a89a3438046d091d422f45",
        "48af92b55a4bad362778c6f9ec8033314a486c8aa60cbdf06506035b3d833434",
        "433bf4a7ae630fe8e8100c7711bdd7cc93e3bd8d66720f588d45ac847ed9b429",
        "c66a1e1dab928e8411f7fb1db2c190043fcfbd9151d4de422a52ae34f562a649",
    ]
    rest = pub["IKa"], pub["IKb"], b"", b"", pub["EKa"], pub["SPKb"]
    label = b"outrigger-spec-example X3DH"
    three = x3dh(dhs[:3], *rest, None, label=label)
    four = x3dh(dhs, *rest, pub["OPKb"], label=label)
    assert three["sk"].hex() == "cc13764229b58b9202eb2b363ab2163379204b521dbf07393ff84a439805bb8d"
    assert four["sk"].hex() == "e6bfdc1068f39576bed32f771ad782aa46511458668d9bc228d8831e49684a37"
    assert (len(three["kdf_input"]), len(four["kdf_input"])) == (128, 160)
    assert sign_published(private["IKb"], enc(pub["SPKb"]), FIXED_Z).hex() == (
        "8589fabc300b000ecfeb49f41ed0ad8d322ef9ebf440c49f277d78175b505c2a"
        "ef300146f1ae0fba92dc40472b3b883074676a613ff9fc859bb48837b18cdd08")
    assert sign_deployed(private["IKb"], enc(pub["SPKb"]), FIXED_Z).hex() == (
        "8c998f51704b6cfeed49b9df22138365f141547388c7e601b5c6362907955af1"
        "264db232cbfcf372844349f911dee506d797ea634b4e60f2c6c36bd3c547b48a")

    # Double Ratchet: key schedule (the example's own labels)
    label = b"outrigger-spec-example root"
    first = dh(private["DHa1"], pub["SPKb"])
    assert first.hex() == "03539927470e70daa10b49338191db09ee593fe809f9c8ce665f59c67e2ba250"
    rk1, cka = kdf_rk(four["sk"], first, label)
    assert rk1.hex() == "6c1610d26d13f2dbae10959976d6f042509ccad6459ea0848f4cf5fcb7910799"
    assert cka.hex() == "b61568931ee42fd451a74553844836ae948dc337aa525000c7168420209707f1"
    mk0, ck1 = kdf_ck(cka)
    mk1, ck2 = kdf_ck(ck1)
    assert mk0.hex() == "f31252e6b353a0ee2ce38a5f3b68458f531e3838aa97b2f3ea6f95e9648a9d2c"
    assert ck1.hex() == "15baafbe0849a07a6d7093ad636e970b685335043a44398978b98ed911f78bdf"
    assert mk1.hex() == "163808108fdc8787bcb6f7aecb73aeefcfa5e053d29bbd6c86068448b107481a"
    assert ck2.hex() == "a1e9a7181dd0bfad1c2303157462b3efb00e8d818738be736185a1b457ab93f8"
    second = dh(private["DHb1"], pub["DHa1"])
    assert second.hex() == "1b6af0c87687030825d3c133c67f43a7ae8df6477e4d5087b7ddd7decc732b17"
    rk2, ckb = kdf_rk(rk1, second, label)
    assert rk2.hex() == "250483849edabd23d68d1fb6150de2873b08076082da648829aa1230f7d74021"
    assert ckb.hex() == "06873c668ac6e65188f1119a518a64230a537847513656d8975fa1fdd7ee4ef1"
    assert kdf_ck(ckb)[0].hex() == "a6548c75b78a172f6405c9d81a77edf02871f5b4d66a0f32f391cf071eca9a1a"
    assert hkdf(rk1, second, label, 96)[64:].hex() == "9326d0981b5fc0827fcf905f2dc6a331358dfd0e6e9c466f2c1cfb73268eaf32"
    split = hkdf(bytes(32), mk0, b"outrigger-spec-example message", 80).hex()
    assert split == (
        "035c8746614117202b40827d25aa83fa0e4c5458d238d10a05cbc4bf757cd5db"
        "28040548331b789cf0c4a77521417b59bc37fab4f5f5ab98efa064ecf10bbc16"
        "9445256ffcbc02b1c4bd7a12795c4902")

    # Safety numbers: the value published for deployed clients, and the example
    pair = fingerprint_pair(
        "", x("0506863bc66d02b40d27b8d49ca7c09e9239236f9d7d25d6fcca5ce13c7064d868"), b"+14152222222",
        x("05f781b6fb32fed9ba1cf2de978d4d5da28dc34046ae814402b5c0dbd96fda907b"), b"+14153333333")
    assert pair["half_a"] == "300354477692869396892869876765" and pair["half_b"] == "458257569162576843440918079131"
    assert pair["number"] == pair["half_a"] + pair["half_b"]
    assert pair["scannable_a"].hex() == (
        "080112220a201e301a0353dce3dbe7684cb8336e85136cdc0ee96219494ada305d62a7bd61df"
        "1a220a20d62cbf73a11592015b6b9f1682ac306fea3aaf3885b84d12bca631e9d4fb3a4d")
    pair = fingerprint_pair("", enc(pub["IKa"]), b"+14155550100", enc(pub["IKb"]), b"+14155550101")
    assert pair["fingerprint_a"].hex() == (
        "ea7f767b050e26a5a316d0edd2cd7d6adc6f2a137eb50dca02b5704524b98d84"
        "3a86515680a49053bc60ae4c3f3afe83aa8ea7ca9a51c0266d69c9455cfe8cc9")
    assert pair["fingerprint_b"].hex() == (
        "7203af78ae31c91d9b34445a20ef5512c4c4d665f00d1952174fcaf891ac29b4"
        "202582507ec06b3f4d1296af33386f89281bd8e7953599303f98843f10c072d8")
    assert pair["half_a"] == "184373154212925061635907460153" and pair["half_b"] == "030865819683989456051426304236"
    assert pair["number"] == "030865819683989456051426304236184373154212925061635907460153"
    assert pair["scannable_a"].hex() == (
        "080112220a20ea7f767b050e26a5a316d0edd2cd7d6adc6f2a137eb50dca02b5704524b98d84"
        "1a220a207203af78ae31c91d9b34445a20ef5512c4c4d665f00d1952174fcaf891ac29b4")
