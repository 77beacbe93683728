// dlibpeer computes dlib's own face descriptors, the truth that the ONNX
// conversion of dlib's network is measured against.
//
//   g++ -std=c++14 -O3 -march=x86-64-v3 -DNDEBUG dlibpeer.cpp -o dlibpeer -ldlib -lblas -lcblas -llapack
//   OPENBLAS_NUM_THREADS=1 ./dlibpeer dlib_face_recognition_resnet_model_v1.dat chips.rgb descriptors.f32
//
// chips.rgb holds any number of chips of 150x150 RGB bytes, row by row; the result
// holds 128 little-endian float32 for each. Faces a second, one chip at a time on one
// thread, go to standard output. The network is the one of dlib's
// dnn_face_recognition_ex.cpp, because a dlib network's type is its file format.
#include <dlib/dnn.h>

#include <chrono>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <vector>

using namespace dlib;

template <template <int, template <typename> class, int, typename> class block, int N,
          template <typename> class BN, typename SUBNET>
using residual = add_prev1<block<N, BN, 1, tag1<SUBNET>>>;

template <template <int, template <typename> class, int, typename> class block, int N,
          template <typename> class BN, typename SUBNET>
using residual_down = add_prev2<avg_pool<2, 2, 2, 2, skip1<tag2<block<N, BN, 2, tag1<SUBNET>>>>>>;

template <int N, template <typename> class BN, int stride, typename SUBNET>
using block = BN<con<N, 3, 3, 1, 1, relu<BN<con<N, 3, 3, stride, stride, SUBNET>>>>>;

template <int N, typename SUBNET>
using ares = relu<residual<block, N, affine, SUBNET>>;
template <int N, typename SUBNET>
using ares_down = relu<residual_down<block, N, affine, SUBNET>>;

template <typename SUBNET> using level0 = ares_down<256, SUBNET>;
template <typename SUBNET> using level1 = ares<256, ares<256, ares_down<256, SUBNET>>>;
template <typename SUBNET> using level2 = ares<128, ares<128, ares_down<128, SUBNET>>>;
template <typename SUBNET> using level3 = ares<64, ares<64, ares<64, ares_down<64, SUBNET>>>>;
template <typename SUBNET> using level4 = ares<32, ares<32, ares<32, SUBNET>>>;

using stem = max_pool<3, 3, 2, 2, relu<affine<con<32, 7, 7, 2, 2, input_rgb_image_sized<150>>>>>;
using network = loss_metric<fc_no_bias<128, avg_pool_everything<level0<level1<level2<level3<level4<stem>>>>>>>>;

static std::vector<matrix<rgb_pixel>> read_chips(const char* path) {
    std::ifstream in(path, std::ios::binary);
    std::vector<matrix<rgb_pixel>> chips;
    matrix<rgb_pixel> chip(150, 150);
    while (in.read(reinterpret_cast<char*>(&chip(0, 0)), 150 * 150 * 3)) chips.push_back(chip);
    return chips;
}

int main(int argc, char** argv) {
    if (argc != 4) {
        std::cerr << "usage: dlibpeer MODEL.dat CHIPS.rgb DESCRIPTORS.f32\n";
        return 1;
    }
    static_assert(sizeof(rgb_pixel) == 3, "a pixel is three bytes");
    try {
        network net;
        deserialize(argv[1]) >> net;
        const auto chips = read_chips(argv[2]);
        if (chips.empty()) throw std::runtime_error("no chip of 150x150x3 bytes in the file");
        std::ofstream out(argv[3], std::ios::binary);
        net(chips[0]);  // the first call allocates
        double seconds = 0, best = 1e9;
        for (const auto& chip : chips) {
            const auto start = std::chrono::steady_clock::now();
            const matrix<float, 0, 1> d = net(chip);
            const double s = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
            seconds += s;
            best = std::min(best, s);
            if (d.size() != 128) throw std::runtime_error("a descriptor is not 128 numbers");
            out.write(reinterpret_cast<const char*>(&d(0)), 128 * sizeof(float));
        }
        out.close();
        if (!out) throw std::runtime_error("the descriptors could not be written");
        std::printf("%zu chips, %.1f faces/s, %.2f ms a face, best %.2f ms\n", chips.size(), chips.size() / seconds,
                    1e3 * seconds / chips.size(), 1e3 * best);
    } catch (const std::exception& e) {
        std::cerr << "dlibpeer: " << e.what() << "\n";
        return 1;
    }
}
